import { X } from "lucide-react";
import { useEffect, useSyncExternalStore } from "react";
import { ApiError } from "../api/client";
import { t } from "../i18n";
import { Button, IconButton } from "./button";

type Toast = {
	id: number;
	text: string;
	detail?: string;
	bad?: boolean;
	action?: { label: string; act: () => void };
	ms: number;
};

let toasts: Toast[] = [];
let next = 1;
const listeners = new Set<() => void>();
const set = (now: Toast[]) => {
	toasts = now;
	for (const listener of listeners) listener();
};
const drop = (id: number) => set(toasts.filter((toast) => toast.id !== id));

export function toast(text: string, more: Partial<Omit<Toast, "id" | "text">> = {}) {
	set([...toasts.slice(-3), { id: next++, text, ms: more.action ? 10_000 : 5000, ...more }]);
}

export function toastError(error: unknown) {
	const known = error instanceof ApiError ? error : null;
	toast(known?.message ?? t("ui.unreachable"), {
		bad: true,
		detail: known?.requestId ? `${t("ui.requestId")} ${known.requestId}` : undefined,
		ms: 9000,
	});
}

function One({ toast: shown }: { toast: Toast }) {
	useEffect(() => {
		const timer = setTimeout(() => drop(shown.id), shown.ms);
		return () => clearTimeout(timer);
	}, [shown]);
	return (
		<li
			className={`flex items-center gap-3 rounded-lg border bg-surface py-2 pr-2 pl-4 shadow-pop [animation:rise_.16s_ease-out] ${shown.bad ? "border-bad" : ""}`}
		>
			<div className="min-w-0 flex-1">
				<p>{shown.text}</p>
				{shown.detail && <p className="font-mono text-xs text-muted">{shown.detail}</p>}
			</div>
			{shown.action && (
				<Button
					size="sm"
					onClick={() => {
						shown.action?.act();
						drop(shown.id);
					}}
				>
					{shown.action.label}
				</Button>
			)}
			<IconButton label={t("ui.close")} onClick={() => drop(shown.id)}>
				<X size={15} aria-hidden />
			</IconButton>
		</li>
	);
}

export function Toasts() {
	const shown = useSyncExternalStore(
		(listener) => {
			listeners.add(listener);
			return () => listeners.delete(listener);
		},
		() => toasts,
	);
	return (
		<ul
			aria-live="polite"
			aria-label={t("ui.notices")}
			className="fixed right-4 bottom-4 z-50 grid w-[min(26rem,calc(100vw-2rem))] gap-2"
		>
			{shown.map((toast) => (
				<One key={toast.id} toast={toast} />
			))}
		</ul>
	);
}
