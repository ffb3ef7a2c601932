import { api } from "../../api/client";
import type { KeyObject, List, NewKey } from "../../api/types";

const HOUR_MS = 3_600_000;
const NAME = "Playground";
const SLOT = "playground-key";
type Made = { key: string; until: number };
let made: Made | null = null;

function kept(): Made | null {
	try {
		return made ?? (JSON.parse(sessionStorage.getItem(SLOT) ?? "null") as Made | null);
	} catch {
		return null;
	}
}

/** Takes away what earlier visits left. */
async function tidy() {
	const { data } = await api.get<List<KeyObject>>("/api/keys");
	const over = data.filter(
		(key) => key.name.startsWith(NAME) && (key.expires_at_ms ?? Number.POSITIVE_INFINITY) < Date.now(),
	);
	await Promise.all(over.map((key) => api.delete(`/api/keys/${key.id}`)));
}

/** A client key for this tab: made when it is first needed, ends by itself within the hour. */
export async function playgroundKey(): Promise<string> {
	const before = kept();
	if (before && before.until - Date.now() > 60_000) return before.key;
	await tidy();
	const until = Date.now() + HOUR_MS;
	const { key } = await api.post<NewKey>("/api/keys", {
		name: `${NAME} ${new Date().toISOString().slice(0, 19)}`,
		expires_at_ms: until,
	});
	made = { key, until };
	try {
		sessionStorage.setItem(SLOT, JSON.stringify(made));
	} catch {}
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
