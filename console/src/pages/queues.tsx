import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Pause, Play, SlidersHorizontal } from "lucide-react";
import { type FormEvent, useState } from "react";
import { api } from "../api/client";
import { has } from "../api/has";
import type { List, Queue } from "../api/types";
import { t, word } from "../i18n";
import { number, span } from "../lib/format";
import { Badge } from "../ui/bits";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { TextField } from "../ui/field";
import { Page } from "../ui/page";
import { Empty, ErrorBox } from "../ui/states";
import { type Column, RowTable } from "../ui/table";
import { toast, toastError } from "../ui/toast";
import { WorkTabs } from "./work-tabs";

/** What only a gateway that can pause them tells. */
const isControlled = has("POST /api/queues/{name}/pause");
const controls = ["delayed", "done", "failed", "limit", "act"];

export function QueuesPage() {
	const client = useQueryClient();
	const [editing, setEditing] = useState<Queue | null>(null);
	const queues = useQuery({
		queryKey: ["queues"],
		queryFn: () => api.get<List<Queue>>("/api/queues"),
		refetchInterval: 10_000,
	});
	const change = (act: () => Promise<unknown>, done: string) =>
		act()
			.then(() => {
				toast(done);
				setEditing(null);
			})
			.catch(toastError)
			.finally(() => client.invalidateQueries({ queryKey: ["queues"] }));
	const limit = (event: FormEvent<HTMLFormElement>) => {
		event.preventDefault();
		const text = String(new FormData(event.currentTarget).get("concurrency"));
		if (editing)
			void change(
				() => api.put(`/api/queues/${editing.name}`, { concurrency: text ? Number(text) : null }),
				t("ui.saved"),
			);
	};
	const columns: Column<Queue>[] = [
		{
			key: "name",
			title: t("queues.one"),
			width: "minmax(10rem,1.5fr)",
			cell: (row) => (
				<span className="flex items-center gap-2">
					<Link to="/manage/jobs" search={{ kind: row.name }} className="font-medium hover:underline">
						{word(row.name)}
					</Link>
					{row.paused && <Badge tone="warn">{t("queues.paused")}</Badge>}
				</span>
			),
		},
		{ key: "running", title: word("running"), width: "6rem", right: true, cell: (row) => number(row.running) },
		{ key: "queued", title: word("queued"), width: "6rem", right: true, cell: (row) => number(row.queued) },
		{ key: "delayed", title: word("delayed"), width: "6rem", right: true, cell: (row) => number(row.delayed) },
		{
			key: "oldest",
			title: t("queues.oldest"),
			width: "7rem",
			right: true,
			cell: (row) => (row.oldest_secs == null ? "–" : span(row.oldest_secs)),
		},
		{ key: "done", title: t("queues.done24"), width: "7rem", right: true, cell: (row) => number(row.completed_24h) },
		{
			key: "failed",
			title: t("queues.failed24"),
			width: "7rem",
			right: true,
			cell: (row) => <span className={row.failed_24h ? "text-bad" : ""}>{number(row.failed_24h)}</span>,
		},
		{
			key: "limit",
			title: t("queues.limit"),
			width: "6.5rem",
			right: true,
			cell: (row) => row.concurrency ?? t("queues.default"),
		},
		{
			key: "act",
			title: t("ui.actions"),
			width: "13rem",
			right: true,
			cell: (row) => (
				<span className="flex justify-end gap-1.5">
					<Button
						size="sm"
						icon={<SlidersHorizontal size={13} aria-hidden />}
						onClick={() => setEditing(row)}
						aria-label={t("queues.limitOf", { name: word(row.name) })}
					>
						{t("queues.limit")}
					</Button>
					<Button
						size="sm"
						icon={row.paused ? <Play size={13} aria-hidden /> : <Pause size={13} aria-hidden />}
						aria-label={`${t(row.paused ? "queues.resume" : "queues.pause")}: ${word(row.name)}`}
						onClick={() =>
							void change(
								() => api.post(`/api/queues/${row.name}/${row.paused ? "resume" : "pause"}`),
								t(row.paused ? "queues.resumed" : "queues.pausedNow"),
							)
						}
					>
						{t(row.paused ? "queues.resume" : "queues.pause")}
					</Button>
				</span>
			),
		},
	];
	return (
		<Page title={t("queues.title")} about={t("queues.about")}>
			<WorkTabs />
			{queues.error ? (
				<ErrorBox error={queues.error} retry={() => void queues.refetch()} />
			) : (
				<RowTable
					label={t("queues.title")}
					columns={isControlled ? columns : columns.filter((column) => !controls.includes(column.key))}
					rows={queues.data?.data ?? []}
					id={(row) => row.name}
					loading={queues.isPending}
					minWidth={isControlled ? 1080 : 560}
					empty={<Empty title={t("queues.none")} />}
				/>
			)}
			{editing && (
				<Dialog title={t("queues.limitOf", { name: word(editing.name) })} onClose={() => setEditing(null)}>
					<form onSubmit={limit} className="grid gap-4">
						<TextField
							label={t("queues.limit")}
							name="concurrency"
							type="number"
							min={1}
							max={1000}
							defaultValue={editing.concurrency ?? ""}
							hint={t("queues.limitHint")}
							autoFocus
						/>
						<div className="flex justify-end gap-2">
							<Button onClick={() => setEditing(null)}>{t("ui.cancel")}</Button>
							<Button type="submit" kind="primary">
								{t("ui.save")}
							</Button>
						</div>
					</form>
				</Dialog>
			)}
		</Page>
	);
}
