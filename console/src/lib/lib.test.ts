import { describe, expect, it } from "vitest";
import { bytes, duration, mediaPath, span } from "./format";
import { type SseEvent, sseParser } from "./sse";

describe("figures", () => {
	it("shortens times and sizes", () => {
		expect([duration(12.4), duration(1234), duration(90_000)]).toEqual(["12 ms", "1.23 s", "1 min 30 s"]);
		expect([span(0), span(3600), span(90_061)]).toEqual(["0 s", "1 h", "1 d 1 h"]);
		expect([bytes(999), bytes(1_500_000)]).toEqual(["999 B", "1.5 MB"]);
	});
	it("takes media from this server alone", () => {
		expect(mediaPath("http://127.0.0.1:8000/images/a.jpg")).toBe("/images/a.jpg");
		expect(mediaPath("javascript:alert(1)")).toBeNull();
		expect(mediaPath("https://evil.example/x.png")).toBeNull();
	});
});

describe("event streams", () => {
	it("puts events together however they are cut", () => {
		const seen: SseEvent[] = [];
		const feed = sseParser((event) => seen.push(event));
		for (const piece of ["da", "ta: a\n", "data: b\n\neven", "t: job\ndata: {}\n\n", ": ping\n\n"]) feed(piece);
		expect(seen).toEqual([
			{ event: "message", data: "a\nb" },
			{ event: "job", data: "{}" },
		]);
	});
});
