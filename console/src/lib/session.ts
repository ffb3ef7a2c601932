import { type QueryClient, queryOptions } from "@tanstack/react-query";
import { api, setCsrf } from "../api/client";
import type { LoginResult, Session } from "../api/types";

export const sessionQuery = queryOptions({
	queryKey: ["session"],
	queryFn: async () => {
		const session = await api.get<Session>("/api/session");
		setCsrf(session.csrf_token);
		return session;
	},
	staleTime: 60_000,
	retry: false,
});

/** The token stays in a cookie that no script can read. */
export async function login(client: QueryClient, body: { username?: string; password?: string; code?: string }) {
	const result = await api.post<LoginResult>("/api/login", { ...body, cookie: true });
	if (!result.success) throw new Error(result.message);
	setCsrf(result.csrf_token);
	client.clear();
	return result;
}

export async function logout(client: QueryClient) {
	await api.post("/api/logout");
	setCsrf(null);
	client.clear();
}
