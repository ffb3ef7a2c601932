import { lang, locale, t } from "../i18n";

const numbers = () => (lang() === "zh" ? "zh-CN" : "en-US");

export const number = (value: number | null | undefined) =>
	value == null ? "–" : new Intl.NumberFormat(numbers()).format(value);

export const compact = (value: number | null | undefined) =>
	value == null
		? "–"
		: value < 10_000
			? new Intl.NumberFormat(numbers(), { maximumFractionDigits: value < 10 ? 1 : 0 }).format(value)
			: new Intl.NumberFormat(numbers(), { notation: "compact", maximumFractionDigits: 1 }).format(value);

export const percent = (value: number | null | undefined) =>
	value == null
		? "–"
		: new Intl.NumberFormat(numbers(), { style: "percent", maximumFractionDigits: value < 0.1 ? 2 : 1 }).format(value);

export function duration(ms: number | null | undefined): string {
	if (ms == null) return "–";
	if (ms < 1000) return `${Math.round(ms)} ms`;
	if (ms < 10_000) return `${(ms / 1000).toFixed(2)} s`;
	if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
	return span(ms / 1000);
}

/** `2 h 5 min`: two parts at most. */
export function span(secs: number): string {
	const whole = Math.max(0, Math.round(secs));
	const parts: [number, string][] = [
		[Math.floor(whole / 86400), t("unit.d")],
		[Math.floor(whole / 3600) % 24, t("unit.h")],
		[Math.floor(whole / 60) % 60, t("unit.min")],
		[whole % 60, t("unit.s")],
	];
	const from = parts.findIndex(([count]) => count > 0);
	if (from < 0) return `0 ${t("unit.s")}`;
	return parts
		.slice(from, from + 2)
		.filter(([count]) => count > 0)
		.map(([count, unit]) => `${count} ${unit}`)
		.join(" ");
}

export function bytes(value: number | null | undefined): string {
	if (value == null) return "–";
	const units = ["B", "kB", "MB", "GB", "TB"];
	let size = value;
	let unit = 0;
	while (size >= 1000 && unit < units.length - 1) {
		size /= 1000;
		unit += 1;
	}
	return `${size >= 100 || unit === 0 ? Math.round(size) : size.toFixed(1)} ${units[unit]}`;
}

export const dateTime = (ms: number | null | undefined) =>
	ms == null ? "–" : new Intl.DateTimeFormat(locale(), { dateStyle: "medium", timeStyle: "medium" }).format(ms);

export const clock = (ms: number | null | undefined) =>
	ms == null
		? "–"
		: new Intl.DateTimeFormat(locale(), {
				hour: "2-digit",
				minute: "2-digit",
				second: "2-digit",
				hour12: false,
			}).format(ms);

export const shortClock = (ms: number) =>
	new Intl.DateTimeFormat(locale(), { hour: "2-digit", minute: "2-digit", hour12: false }).format(ms);

/** `3 minutes ago`, `in 2 hours`. */
export function relative(ms: number | null | undefined, now = Date.now()): string {
	if (ms == null) return "–";
	const secs = Math.round((ms - now) / 1000);
	const steps: [number, Intl.RelativeTimeFormatUnit][] = [
		[60, "second"],
		[3600, "minute"],
		[86400, "hour"],
		[Number.POSITIVE_INFINITY, "day"],
	];
	const sizes = { second: 1, minute: 60, hour: 3600, day: 86400 } as Record<string, number>;
	const unit = steps.find(([most]) => Math.abs(secs) < most)?.[1] ?? "day";
	return new Intl.RelativeTimeFormat(locale(), { numeric: "auto", style: "short" }).format(
		Math.trunc(secs / (sizes[unit] ?? 1)),
		unit,
	);
}

/** The part of a link to media that this server answers; nothing for links to elsewhere. */
export function mediaPath(url: string | null | undefined): string | null {
	if (!url) return null;
	try {
		const path = new URL(url, "http://here.invalid").pathname;
		return path.startsWith("/images/") || path.startsWith("/v1/videos/") ? path : null;
	} catch {
		return null;
	}
}
