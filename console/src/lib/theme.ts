import { useSyncExternalStore } from "react";

export type Theme = "system" | "light" | "dark";
const listeners = new Set<() => void>();
const dark = matchMedia("(prefers-color-scheme: dark)");
let theme: Theme = "system";
try {
	theme = (localStorage.getItem("theme") as Theme | null) ?? "system";
} catch {}

function apply() {
	document.documentElement.dataset.theme = theme === "dark" || (theme === "system" && dark.matches) ? "dark" : "light";
	for (const listener of listeners) listener();
}
dark.addEventListener("change", apply);

export function setTheme(next: Theme) {
	theme = next;
	try {
		localStorage.setItem("theme", next);
	} catch {}
	apply();
}

const subscribe = (listener: () => void) => {
	listeners.add(listener);
	return () => listeners.delete(listener);
};
export const useTheme = () => useSyncExternalStore(subscribe, () => theme);
/** What is drawn now. */
export const useShade = () => useSyncExternalStore(subscribe, () => document.documentElement.dataset.theme ?? "light");
