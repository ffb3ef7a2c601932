import { describe, expect, it } from "vitest";
import { fill } from ".";
import en from "./en";
import zh from "./zh";

const names = (text: string) => [...new Set([...text.matchAll(/\{(\w+)\}/g)].map((found) => found[1]))].sort();

describe("texts", () => {
	it("has every key in both languages, with the same parameters", () => {
		expect(Object.keys(zh).sort()).toEqual(Object.keys(en).sort());
		for (const [key, text] of Object.entries(en)) expect(names(zh[key as keyof typeof en]), key).toEqual(names(text));
	});
	it("says what it means in each", () => {
		for (const [key, text] of [...Object.entries(en), ...Object.entries(zh)]) expect(text.trim(), key).not.toBe("");
	});
	it("chooses the form by the number, however it is written", () => {
		expect(fill("{n} account|{n} accounts", { n: 1 })).toBe("1 account");
		expect(fill("{n} account|{n} accounts", { n: "1,000" })).toBe("1,000 accounts");
	});
	it("leaves what it is not given", () => expect(fill("{a} and {b}", { a: "x" })).toBe("x and {b}"));
});
