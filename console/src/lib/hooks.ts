import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { api } from "../api/client";
import type { List } from "../api/types";

/** Now, once in `every` milliseconds: for countdowns. */
export function useNow(every = 1000): number {
	const [now, setNow] = useState(Date.now);
	useEffect(() => {
		const timer = setInterval(() => setNow(Date.now()), every);
		return () => clearInterval(timer);
	}, [every]);
	return now;
}

/** A value when it has rested for a moment. */
export function useRested<T>(value: T, wait = 250): T {
	const [rested, setRested] = useState(value);
	useEffect(() => {
		const timer = setTimeout(() => setRested(value), wait);
		return () => clearTimeout(timer);
	}, [value, wait]);
	return rested;
}

type Query = Record<string, string | number | undefined>;

/** A list that is read page by page; `name` is what live events refresh it by. */
export function useCursorList<T>(
	name: string,
	path: string,
	query: Query,
	limit = 100,
	enabled = true,
	refetchInterval?: number,
) {
	const result = useInfiniteQuery({
		queryKey: [name, path, query, limit],
		queryFn: ({ pageParam }) => api.get<List<T>>(path, { ...query, limit, cursor: pageParam }),
		initialPageParam: undefined as string | undefined,
		getNextPageParam: (page) => page.next_cursor ?? undefined,
		enabled,
		refetchInterval: refetchInterval ?? false,
	});
	const rows = result.data?.pages.flatMap((page) => page.data) ?? [];
	return { ...result, rows, total: result.data?.pages[0]?.total };
}

const isTyping = (target: EventTarget | null) =>
	target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

/** Single keys and `g x` pairs; silent while somebody types or a dialog is open. */
export function useHotkeys(keys: Record<string, (event: KeyboardEvent) => void>) {
	const latest = useRef(keys);
	latest.current = keys;
	useEffect(() => {
		let before = "";
		let timer: ReturnType<typeof setTimeout> | undefined;
		const pressed = (event: KeyboardEvent) => {
			if (event.defaultPrevented) return;
			const mod = event.ctrlKey || event.metaKey;
			if (mod && event.key.toLowerCase() === "k") {
				const act = latest.current["mod+k"];
				if (act) {
					event.preventDefault();
					act(event);
				}
				return;
			}
			if (mod || event.altKey || isTyping(event.target) || document.querySelector("dialog[open]")) return;
			const name = before ? `${before} ${event.key}` : event.key;
			before = "";
			clearTimeout(timer);
			const act = latest.current[name] ?? latest.current[event.key];
			if (act) {
				event.preventDefault();
				act(event);
			} else if (event.key === "g") {
				before = "g";
				timer = setTimeout(() => {
					before = "";
				}, 1200);
			}
		};
		document.addEventListener("keydown", pressed);
		return () => document.removeEventListener("keydown", pressed);
	}, []);
}
