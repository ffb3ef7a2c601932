import { api } from "../../api/client";
import type { NewKey } from "../../api/types";

const HOUR_MS = 3_600_000;
let made: { key: string; until: number } | null = null;

/** A client key for this page: made at its first use, ends by itself within the hour, kept in memory alone. */
export async function playgroundKey(): Promise<string> {
	if (made && made.until - Date.now() > 60_000) return made.key;
	const until = Date.now() + HOUR_MS;
	const { key } = await api.post<NewKey>("/api/keys", {
		name: `Playground ${new Date().toISOString().slice(0, 19)}`,
		expires_at_ms: until,
	});
	made = { key, until };
	return key;
}

/** A call as a client makes it. */
export async function call(path: string, body?: unknown, signal?: AbortSignal): Promise<Response> {
	const key = await playgroundKey();
	const headers: Record<string, string> = { authorization: `Bearer ${key}` };
	if (body !== undefined) headers["content-type"] = "application/json";
	const init: RequestInit = { method: body === undefined ? "GET" : "POST", headers, credentials: "omit" };
	if (body !== undefined) init.body = JSON.stringify(body);
	if (signal) init.signal = signal;
	return fetch(path, init);
}
