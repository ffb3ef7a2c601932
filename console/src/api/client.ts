// One door to the gateway: cookie session, CSRF header, errors in one shape, confirmation where it is asked for.

export class ApiError extends Error {
	constructor(
		readonly status: number,
		readonly code: string,
		message: string,
		readonly param: string | null,
		readonly requestId: string | null,
	) {
		super(message);
	}
}

type Query = Record<string, string | number | boolean | null | undefined>;

let csrf: string | null = null;
let confirmation: (() => Promise<boolean>) | null = null;
let lost: (() => void) | null = null;

/** Keeps the token that changes need, in memory alone. */
export function setCsrf(token: string | null | undefined) {
	csrf = token ?? null;
}

/** Says who asks for the password again, and who shows the login. */
export function onAsked(confirm: () => Promise<boolean>, sessionLost: () => void) {
	confirmation = confirm;
	lost = sessionLost;
}

export function withQuery(path: string, query?: Query): string {
	const params = new URLSearchParams();
	for (const [name, value] of Object.entries(query ?? {})) {
		if (value !== undefined && value !== null && value !== "") params.set(name, String(value));
	}
	const text = params.toString();
	return text ? `${path}?${text}` : path;
}

export async function failure(response: Response): Promise<ApiError> {
	const requestId = response.headers.get("x-request-id");
	let body: unknown;
	try {
		body = await response.json();
	} catch {
		body = null;
	}
	const holder = (body ?? {}) as {
		error?: { message?: string; code?: string; param?: string } | string;
		code?: string;
		message?: string;
	};
	const inner = typeof holder.error === "object" ? holder.error : null;
	const message =
		inner?.message ?? holder.message ?? (typeof holder.error === "string" ? holder.error : `HTTP ${response.status}`);
	return new ApiError(response.status, inner?.code ?? holder.code ?? "", message, inner?.param ?? null, requestId);
}

export async function raw(method: string, path: string, body?: unknown, retried = false): Promise<Response> {
	const headers: Record<string, string> = { accept: "application/json" };
	if (method !== "GET" && csrf) headers["x-csrf-token"] = csrf;
	if (body !== undefined) headers["content-type"] = "application/json";
	const init: RequestInit = { method, headers, credentials: "same-origin" };
	if (body !== undefined) init.body = JSON.stringify(body);
	const response = await fetch(path, init);
	if (response.ok) return response;
	const error = await failure(response);
	if (error.status === 403 && error.code.toUpperCase() === "CONFIRMATION_REQUIRED" && confirmation && !retried) {
		if (await confirmation()) return raw(method, path, body, true);
	}
	if (error.status === 401 && path.startsWith("/api/") && path !== "/api/login") lost?.();
	throw error;
}

async function json<T>(method: string, path: string, body?: unknown): Promise<T> {
	const response = await raw(method, path, body);
	return (await response.json()) as T;
}

export const api = {
	get: <T>(path: string, query?: Query) => json<T>("GET", withQuery(path, query)),
	post: <T>(path: string, body?: unknown) => json<T>("POST", path, body),
	put: <T>(path: string, body?: unknown) => json<T>("PUT", path, body),
	patch: <T>(path: string, body?: unknown) => json<T>("PATCH", path, body),
	delete: <T>(path: string) => json<T>("DELETE", path),
};

/** Saves an answer as a file. */
export async function save(response: Response, name: string) {
	const url = URL.createObjectURL(await response.blob());
	const link = document.createElement("a");
	link.href = url;
	link.download = name;
	link.click();
	setTimeout(() => URL.revokeObjectURL(url), 1000);
}
