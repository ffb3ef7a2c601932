import type { ImportPreview } from "../../api/types";

const SAMPLE = 50;

/** A token a line, as it is or inside a cookie string; empty lines and comments are nothing. */
function lines(text: string): { line: number; token: string }[] {
	return text.split(/\r?\n/).flatMap((raw, at) => {
		const plain = raw.trim();
		if (plain === "" || plain.startsWith("#")) return [];
		const cookie = /(?:^|;\s*)sso=([^;\s]+)/.exec(plain);
		return [{ line: at + 1, token: cookie?.[1] ?? plain }];
	});
}

export const tokensOf = (text: string) =>
	[...new Set(lines(text).map(({ token }) => token))].filter((token) => !/\s/.test(token));

/** What is in a list, without asking the gateway: which of them it knows already comes out when they are imported. */
export function previewList(text: string, type: string): ImportPreview {
	const all = lines(text);
	const fits = all.filter(({ token }) => !/\s/.test(token));
	const tokens = tokensOf(text);
	return {
		format: "list",
		total: all.length,
		new: tokens.length,
		known: 0,
		repeated: fits.length - tokens.length,
		unusable: all.filter(({ token }) => /\s/.test(token)).map(({ line }) => ({ line, reason: "it has spaces in it" })),
		sample: fits.slice(0, SAMPLE).map(({ line, token }) => ({
			line,
			hint: `…${token.slice(-4)}`,
			token_type: type,
			tags: [],
			note: "",
			known: false,
		})),
	};
}
