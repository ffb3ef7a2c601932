import { Check, Copy } from "lucide-react";
import { type ReactNode, useState } from "react";
import { t, word } from "../i18n";
import { IconButton } from "./button";

export type Tone = "ok" | "warn" | "bad" | "info" | "plain" | "accent";

const soft: Record<Tone, string> = {
	ok: "bg-ok-soft text-ok",
	warn: "bg-warn-soft text-warn",
	bad: "bg-bad-soft text-bad",
	info: "bg-info-soft text-info",
	accent: "bg-accent-soft text-accent",
	plain: "bg-sunken text-muted",
};
const solid: Record<Tone, string> = {
	ok: "bg-ok",
	warn: "bg-warn",
	bad: "bg-bad",
	info: "bg-info",
	accent: "bg-accent",
	plain: "bg-muted",
};

const tones: Record<string, Tone> = {
	active: "ok",
	completed: "ok",
	ready: "ok",
	ok: "ok",
	valid: "ok",
	revived: "ok",
	cooling: "info",
	running: "info",
	in_progress: "info",
	sending: "info",
	queued: "plain",
	delayed: "plain",
	unused: "plain",
	limited: "warn",
	degraded: "warn",
	suspect: "warn",
	inconclusive: "warn",
	expired: "bad",
	failed: "bad",
	invalid: "bad",
	error: "bad",
};
export const toneOf = (status: string | null | undefined): Tone => tones[status ?? ""] ?? "plain";

export function Badge({ tone = "plain", children }: { tone?: Tone; children: ReactNode }) {
	return (
		<span
			className={`inline-flex h-5 items-center rounded-full px-2 text-xs font-medium whitespace-nowrap ${soft[tone]}`}
		>
			{children}
		</span>
	);
}

/** A state as dot and word: colour is never alone. */
export function Status({ value }: { value: string | null | undefined }) {
	return (
		<span className="inline-flex items-center gap-1.5 whitespace-nowrap">
			<Dot tone={toneOf(value)} />
			<span className="inline-block first-letter:uppercase">{word(value)}</span>
		</span>
	);
}

export function Dot({ tone, pulse }: { tone: Tone; pulse?: boolean }) {
	return (
		<span
			aria-hidden
			className={`inline-block size-2 shrink-0 rounded-full ${solid[tone]} ${pulse ? "animate-pulse" : ""}`}
		/>
	);
}

export function Progress({ value, label, tone = "accent" }: { value: number; label: string; tone?: Tone }) {
	const part = Math.max(0, Math.min(100, value));
	return (
		<div
			role="progressbar"
			aria-label={label}
			aria-valuenow={Math.round(part)}
			aria-valuemin={0}
			aria-valuemax={100}
			className="h-1.5 w-full overflow-hidden rounded-full bg-line"
		>
			<div
				className={`h-full rounded-full transition-[width] duration-500 ${solid[tone]}`}
				style={{ width: `${part}%` }}
			/>
		</div>
	);
}

export function Card({
	title,
	aside,
	children,
	className = "",
	flush,
}: {
	title?: ReactNode;
	aside?: ReactNode;
	children: ReactNode;
	className?: string;
	flush?: boolean;
}) {
	return (
		<section className={`min-w-0 rounded-lg border bg-surface shadow-card ${className}`}>
			{title && (
				<header className="flex min-h-11 flex-wrap items-center justify-between gap-x-3 gap-y-1 border-b px-4 py-2">
					<h2 className="text-base font-semibold">{title}</h2>
					{aside}
				</header>
			)}
			<div className={flush ? "" : "p-4"}>{children}</div>
		</section>
	);
}

export function CopyButton({ text, label }: { text: string; label?: string }) {
	const [done, setDone] = useState(false);
	const copy = async () => {
		await navigator.clipboard.writeText(text);
		setDone(true);
		setTimeout(() => setDone(false), 1500);
	};
	return (
		<IconButton label={done ? t("ui.copied") : (label ?? t("ui.copy"))} onClick={copy}>
			{done ? <Check size={15} aria-hidden /> : <Copy size={15} aria-hidden />}
		</IconButton>
	);
}

export function Code({ text, label }: { text: string; label?: string }) {
	return (
		<div className="relative rounded-md border bg-sunken">
			<pre
				tabIndex={0}
				role="region"
				aria-label={label ?? t("ui.code")}
				className="thin-scroll max-h-96 overflow-auto p-3 pr-11 font-mono text-xs leading-relaxed whitespace-pre-wrap"
			>
				{text}
			</pre>
			<div className="absolute top-1 right-1">
				<CopyButton text={text} />
			</div>
		</div>
	);
}

/** Names and values under each other, aligned. */
export function Facts({ rows }: { rows: [string, ReactNode][] }) {
	return (
		<dl className="grid grid-cols-[minmax(6.5rem,auto)_1fr] gap-x-4 gap-y-1.5">
			{rows.map(([name, value]) => (
				<div key={name} className="contents">
					<dt className="text-muted">{name}</dt>
					<dd className="min-w-0">{value ?? "–"}</dd>
				</div>
			))}
		</dl>
	);
}

export const Kbd = ({ children }: { children: ReactNode }) => (
	<kbd className="rounded border border-strong bg-surface px-1.5 py-px font-mono text-2xs text-muted">{children}</kbd>
);

export const Mono = ({ children }: { children: ReactNode }) => <span className="font-mono text-xs">{children}</span>;
