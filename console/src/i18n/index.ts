// Our own small translator: typed keys, `{name}` parameters, `one|other` forms chosen by `n`.
import { useSyncExternalStore } from "react";
import en from "./en";

export type Key = keyof typeof en;
export type Lang = "en" | "zh";
type Params = Record<string, string | number>;

const texts: Partial<Record<Lang, Record<Key, string>>> = { en };
const listeners = new Set<() => void>();
let current: Lang = "en";

function stored(): Lang {
	try {
		const saved = localStorage.getItem("lang");
		if (saved === "en" || saved === "zh") return saved;
	} catch {}
	return navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
}

/** Loads the language first, then tells everybody. */
export async function setLang(lang: Lang, remember = true) {
	if (!texts[lang]) texts[lang] = (await import("./zh")).default;
	current = lang;
	document.documentElement.lang = lang === "zh" ? "zh-CN" : "en";
	if (remember) {
		try {
			localStorage.setItem("lang", lang);
		} catch {}
	}
	for (const listener of listeners) listener();
}

export const startLang = () => setLang(stored(), false);
export const lang = () => current;
export const locale = () => (current === "zh" ? "zh-CN" : "en-GB");

export function fill(text: string, params?: Params, language = "en"): string {
	let form = text;
	if (text.includes("|") && params && "n" in params) {
		const forms = text.split("|");
		const count = Number(String(params.n).replace(/[^\d.-]/g, ""));
		form = (new Intl.PluralRules(language).select(count) === "one" ? forms[0] : forms[forms.length - 1]) ?? text;
	}
	return form.replace(/\{(\w+)\}/g, (whole, name) => String(params?.[name] ?? whole));
}

export function t(key: Key, params?: Params): string {
	return fill(texts[current]?.[key] ?? en[key] ?? key, params, current);
}

/** A word of the server's in the reader's language; as it is when we do not know it. */
export function word(value: string | null | undefined): string {
	if (!value) return "–";
	const key = `word.${value}`;
	return key in en ? t(key as Key) : value.replace(/_/g, " ");
}

export function useLang(): Lang {
	return useSyncExternalStore(
		(listener) => {
			listeners.add(listener);
			return () => listeners.delete(listener);
		},
		() => current,
	);
}
