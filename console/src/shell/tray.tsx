import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ListChecks } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { api } from "../api/client";
import { has } from "../api/has";
import type { Bulk, List } from "../api/types";
import { t, word } from "../i18n";
import { number, relative } from "../lib/format";
import { useLive } from "../lib/live";
import { Progress, Status } from "../ui/bits";
import { Button } from "../ui/button";
import { toast, toastError } from "../ui/toast";

const isOver = (bulk: Bulk) => ["completed", "failed", "cancelled"].includes(bulk.status);

/** Work on many accounts at once, which goes on without this page and is found here again. */
export function Tray() {
	const client = useQueryClient();
	const { jobs, connected } = useLive();
	const [open, setOpen] = useState(false);
	const box = useRef<HTMLDivElement>(null);
	const { data } = useQuery({
		queryKey: ["bulk"],
		queryFn: () => api.get<List<Bulk>>("/api/bulk", { limit: 10 }),
		refetchInterval: (query) =>
			connected ? false : query.state.data?.data.some((bulk) => !isOver(bulk)) ? 1500 : 15_000,
	});
	useEffect(() => {
		if (!open) return;
		const away = (event: Event) => {
			if (event instanceof KeyboardEvent ? event.key === "Escape" : !box.current?.contains(event.target as Node))
				setOpen(false);
		};
		document.addEventListener("keydown", away);
		document.addEventListener("pointerdown", away);
		return () => {
			document.removeEventListener("keydown", away);
			document.removeEventListener("pointerdown", away);
		};
	}, [open]);
	const bulks = (data?.data ?? []).map((bulk) => ({ ...bulk, ...(jobs.get(bulk.id)?.bulk ?? {}) }));
	const running = bulks.filter((bulk) => !isOver(bulk));
	const ended = bulks
		.filter(isOver)
		.map((bulk) => bulk.id)
		.join();
	useEffect(() => {
		if (data) void client.invalidateQueries({ queryKey: ["accounts"] });
	}, [ended]);
	const cancel = (id: string) =>
		api
			.post(`/api/jobs/${id}/cancel`)
			.then(() => {
				toast(t("tray.cancelled"));
				void client.invalidateQueries({ queryKey: ["bulk"] });
			})
			.catch(toastError);
	return (
		<div ref={box} className="relative">
			<button
				type="button"
				aria-expanded={open}
				onClick={() => setOpen(!open)}
				className="flex h-8 items-center gap-2 rounded-md px-2 text-muted hover:bg-sunken hover:text-ink"
			>
				<ListChecks size={17} aria-hidden />
				<span className={running.length ? "font-medium text-ink" : "sr-only"}>
					{t("tray.running", { n: running.length })}
				</span>
			</button>
			{open && (
				<section
					aria-label={t("tray.title")}
					className="fixed top-14 right-3 z-30 grid max-h-[70dvh] w-[min(24rem,calc(100vw-1.5rem))] gap-3 overflow-y-auto rounded-lg border bg-surface p-4 shadow-pop [animation:rise_.12s_ease-out]"
				>
					<h2 className="font-semibold">{t("tray.title")}</h2>
					{bulks.length === 0 && <p className="text-muted">{t("tray.empty")}</p>}
					{bulks.map((bulk) => {
						const part = bulk.total > 0 ? ((bulk.done + bulk.failed) / bulk.total) * 100 : isOver(bulk) ? 100 : 0;
						return (
							<div key={bulk.id} className="grid gap-1.5">
								<div className="flex items-center justify-between gap-3">
									{has("GET /api/jobs") ? (
										<Link
											to="/manage/jobs"
											search={{ open: bulk.id }}
											onClick={() => setOpen(false)}
											className="truncate font-medium hover:underline"
										>
											{word(bulk.kind)}
										</Link>
									) : (
										<span className="truncate font-medium">{word(bulk.kind)}</span>
									)}
									<Status value={bulk.status} />
								</div>
								<Progress value={part} label={word(bulk.kind)} tone={bulk.failed > 0 ? "warn" : "accent"} />
								<div className="flex min-h-7 items-center justify-between gap-2 text-xs text-muted">
									<span>
										{number(bulk.done)} / {number(bulk.total)}
										{bulk.failed > 0 && ` · ${t("tray.failed", { n: number(bulk.failed) })}`} ·{" "}
										{relative(bulk.created_at_ms)}
									</span>
									{isOver(bulk) ? (
										bulk.failed > 0 && (
											<a className="text-accent underline" href={`/api/bulk/${bulk.id}/failures?format=csv`} download>
												{t("tray.failures")}
											</a>
										)
									) : (
										<Button size="sm" kind="quiet" onClick={() => cancel(bulk.id)}>
											{t("ui.cancel")}
										</Button>
									)}
								</div>
							</div>
						);
					})}
				</section>
			)}
		</div>
	);
}
