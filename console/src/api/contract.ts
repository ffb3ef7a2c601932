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
export type JobCounts = { data: { kind: string; status: string; count: number }[] };
export type JobBulk = { matched: number; changed: number };
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
/** What can be set for a queue, where it can. */
export type QueueControl = {
	paused: boolean;
	concurrency?: number | null;
	delayed: number;
	failed_24h: number;
	completed_24h: number;
};
