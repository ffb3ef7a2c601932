// Shapes that the committed OpenAPI document does not describe yet. To be deleted with it.
export type List<T> = { object: string; data: T[]; next_cursor?: string | null; total?: number };
export type HistoryEntry = {
	at_ms: number;
	kind: string;
	outcome?: string | null;
	model?: string | null;
	latency_ms?: number | null;
	detail?: string | null;
};
export type ImportPreview = {
	format: string;
	total: number;
	new: number;
	known: number;
	repeated: number;
	unusable: { line: number; reason: string }[];
	sample: { line: number; hint: string; token_type: string; tags: string[]; note: string; known: boolean }[];
};
export type Setting = {
	key: string;
	section: string;
	value: unknown;
	default: unknown;
	source: string;
	secret: boolean;
	doc: string;
	choices?: string[] | null;
	kind: string;
};
export type SettingList = { version: number | string; data: Setting[] };
export type Check = { name: string; status: string; hint: string; latency_ms: number };
export type System = {
	version: string;
	storage_mode: string;
	database: string;
	queue: string;
	schema: string | number;
	started_at_ms: number;
	now_ms: number;
	pool?: Record<string, unknown>;
	checks: Check[];
};
export type Failure = { code: string; message: string };
export type Generation = {
	id: string;
	kind: string;
	model: string;
	owner: string;
	key_name?: string | null;
	prompt: string;
	status: string;
	progress: number;
	error?: Failure | null;
	created_at_ms: number;
	completed_at_ms?: number | null;
	deleted: boolean;
	results: { kind: string; name: string; url: string; content_type?: string | null; bytes: number; status: string }[];
	job_ids: string[];
};
export type JobRow = {
	id: string;
	kind: string;
	status: string;
	step?: string | null;
	progress: number;
	epoch: number;
	tries: number;
	crashes: number;
	owner?: string | null;
	key_name?: string | null;
	generation_id?: string | null;
	account_id?: string | null;
	upstream_id?: string | null;
	holder?: string | null;
	run_at_ms?: number | null;
	deadline_at_ms?: number | null;
	created_at_ms: number;
	started_at_ms?: number | null;
	finished_at_ms?: number | null;
	error?: Failure | null;
	args?: unknown;
	bulk?: { total: number; done: number; failed: number } | null;
	attempts?: {
		epoch: number;
		number: number;
		account_id?: string | null;
		started_at_ms: number;
		finished_at_ms?: number | null;
		outcome?: string | null;
	}[];
};
export type JobCounts = { data: { kind: string; status: string; count: number }[] };
export type JobBulk = { matched: number; changed: number };
export type Queue = {
	name: string;
	paused: boolean;
	concurrency?: number | null;
	queued: number;
	delayed: number;
	running: number;
	failed_24h: number;
	completed_24h: number;
	oldest_secs?: number | null;
};
export type Worker = {
	id: string;
	host: string;
	pid: number;
	kinds: string[];
	started_at_ms: number;
	beat_at_ms: number;
	draining: boolean;
	running: number;
	version: string;
};
export type KeyLimits = {
	requests_per_minute?: number | null;
	tokens_per_minute?: number | null;
	max_concurrent?: number | null;
	budget_units?: number | null;
	budget_period?: string | null;
	note?: string | null;
};
export type KeyUsage = {
	requests_last_minute: number;
	tokens_last_minute: number;
	running: number;
	budget_used: number;
	budget_left?: number | null;
	last_used_at_ms?: number | null;
};
/** The timings of a request, where they are kept. */
export type Waterfall = {
	wait_ms?: number | null;
	tries: {
		account_id?: string | null;
		began_ms: number;
		headers_ms?: number | null;
		first_ms?: number | null;
		ended_ms?: number | null;
		outcome?: string | null;
	}[];
	first_ms?: number | null;
	total_ms?: number | null;
};
/** What the pool has left of each model, where it is told. */
export type Capacity = {
	model: string;
	remaining_requests: number;
	total_requests: number;
	next_reset_at_ms?: number | null;
	usable_accounts: number;
};
