// The one event stream of the console. It rests while nobody looks, and goes on where it stopped.
import type { QueryClient } from "@tanstack/react-query";
import { useEffect, useSyncExternalStore } from "react";
import { has } from "../api/has";
import type { RequestRow } from "../api/types";

export type LiveStats = {
	now_ms: number;
	requests_per_min: number;
	errors_per_min: number;
	tokens_per_min: number;
	active_chats: number;
	in_flight: number;
	waiting: number;
	accounts: Record<string, number>;
	queues: { queued: number; running: number };
};
export type JobEvent = {
	id: string;
	kind: string;
	status: string;
	progress: number;
	generation_id?: string | null;
	bulk?: { total: number; done: number; failed: number } | null;
};
type State = {
	connected: boolean;
	stats: LiveStats | null;
	tail: RequestRow[];
	dropped: number;
	jobs: Map<string, JobEvent>;
};

const TAIL = 200;
let state: State = { connected: false, stats: null, tail: [], dropped: 0, jobs: new Map() };
const listeners = new Set<() => void>();
const set = (change: Partial<State>) => {
	state = { ...state, ...change };
	for (const listener of listeners) listener();
};

/** At most one refetch of a list in a second and a half, however many events come. */
function refresher(client: QueryClient) {
	const due = new Map<string, ReturnType<typeof setTimeout>>();
	return (name: string, wait = 1500) => {
		if (due.has(name)) return;
		due.set(
			name,
			setTimeout(() => {
				due.delete(name);
				void client.invalidateQueries({ queryKey: [name] });
			}, wait),
		);
	};
}

const OVER = ["completed", "failed", "cancelled", "succeeded"];

function connect(client: QueryClient): () => void {
	let source: EventSource | null = null;
	let last = "";
	let wait = 1000;
	let timer: ReturnType<typeof setTimeout> | undefined;
	const refresh = refresher(client);
	const open = () => {
		if (source || document.hidden) return;
		const opened = new EventSource(last ? `/api/events?last_event_id=${encodeURIComponent(last)}` : "/api/events");
		source = opened;
		const on = (name: string, act: (data: never) => void) =>
			opened.addEventListener(name, (event) => {
				if (event.lastEventId) last = event.lastEventId;
				try {
					act(JSON.parse(event.data) as never);
				} catch (error) {
					console.warn("an event could not be read", name, error);
				}
			});
		opened.onopen = () => {
			wait = 1000;
			set({ connected: true });
		};
		opened.onerror = () => {
			close();
			timer = setTimeout(open, wait);
			wait = Math.min(wait * 2, 30_000);
		};
		on("stats", (stats: LiveStats) => set({ stats }));
		on("request", (row: RequestRow & { dropped?: number }) => {
			if (row.dropped) set({ dropped: state.dropped + row.dropped });
			else set({ tail: [row, ...state.tail].slice(0, TAIL) });
			refresh("overview", 5000);
		});
		on("job", (job: JobEvent) => {
			const jobs = new Map(state.jobs);
			if (OVER.includes(job.status)) jobs.delete(job.id);
			else jobs.set(job.id, job);
			set({ jobs });
			for (const name of ["jobs", "bulk", "queues", "generations"]) refresh(name);
			if (job.bulk) refresh("accounts");
		});
		on("account", () => refresh("accounts", 2500));
		on("settings", () => refresh("settings"));
		on("keys", () => refresh("keys"));
		on("schedules", () => refresh("schedules"));
		on("reset", () => {
			set({ jobs: new Map() });
			void client.invalidateQueries();
		});
	};
	const close = () => {
		source?.close();
		source = null;
		clearTimeout(timer);
		if (state.connected) set({ connected: false });
	};
	const seen = () => (document.hidden ? close() : open());
	document.addEventListener("visibilitychange", seen);
	open();
	return () => {
		document.removeEventListener("visibilitychange", seen);
		close();
	};
}

export const useLiveConnection = (client: QueryClient) =>
	useEffect(() => (has("GET /api/events") ? connect(client) : undefined), [client]);

const subscribe = (listener: () => void) => {
	listeners.add(listener);
	return () => listeners.delete(listener);
};
export const useLive = () => useSyncExternalStore(subscribe, () => state);
