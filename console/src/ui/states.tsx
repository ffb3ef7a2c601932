import { CircleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { ApiError } from "../api/client";
import { t } from "../i18n";
import { Button } from "./button";

export function Skeleton({ className = "h-4 w-full" }: { className?: string }) {
	return <div aria-hidden className={`shimmer rounded ${className}`} />;
}

export function Loading({ rows = 4 }: { rows?: number }) {
	return (
		<div role="status" className="grid gap-3">
			<span className="sr-only">{t("ui.loading")}</span>
			{Array.from({ length: rows }, (_, row) => (
				<Skeleton key={row} className={`h-4 ${row % 3 === 2 ? "w-1/2" : "w-full"}`} />
			))}
		</div>
	);
}

/** Nothing is here: says why, and what to do next. */
export function Empty({
	icon,
	title,
	children,
	action,
}: {
	icon?: ReactNode;
	title: string;
	children?: ReactNode;
	action?: ReactNode;
}) {
	return (
		<div className="mx-auto flex max-w-md flex-col items-center gap-2 px-6 py-12 text-center">
			{icon && (
				<div className="mb-1 flex size-11 items-center justify-center rounded-full bg-accent-soft text-accent">
					{icon}
				</div>
			)}
			<p className="text-lg font-semibold">{title}</p>
			{children && <div className="text-muted">{children}</div>}
			{action && <div className="mt-3 flex flex-wrap justify-center gap-2">{action}</div>}
		</div>
	);
}

export function ErrorBox({ error, retry }: { error: unknown; retry?: () => void }) {
	const known = error instanceof ApiError ? error : null;
	return (
		<div role="alert" className="flex items-start gap-3 rounded-lg border border-bad/40 bg-bad-soft p-4">
			<CircleAlert size={18} aria-hidden className="mt-0.5 shrink-0 text-bad" />
			<div className="min-w-0 flex-1">
				<p className="font-medium">{known ? known.message : t("ui.unreachable")}</p>
				{known && (
					<p className="mt-1 font-mono text-xs text-ink">
						{known.status} {known.code} {known.requestId && `· ${t("ui.requestId")} ${known.requestId}`}
					</p>
				)}
			</div>
			{retry && (
				<Button size="sm" onClick={retry}>
					{t("ui.retry")}
				</Button>
			)}
		</div>
	);
}
