import { useQuery } from "@tanstack/react-query";
import { Cpu } from "lucide-react";
import { api } from "../api/client";
import type { List, Worker } from "../api/types";
import { t, word } from "../i18n";
import { number, relative, span } from "../lib/format";
import { useNow } from "../lib/hooks";
import { Badge, Dot, Mono } from "../ui/bits";
import { Page } from "../ui/page";
import { Empty, ErrorBox } from "../ui/states";
import { type Column, RowTable } from "../ui/table";
import { WorkTabs } from "./work-tabs";

/** A worker that was not seen for this long is taken for dead by the others. */
const DEAD_MS = 3500;

export function WorkersPage() {
	const now = useNow(2000);
	const workers = useQuery({
		queryKey: ["workers"],
		queryFn: () => api.get<List<Worker>>("/api/workers"),
		refetchInterval: 3000,
	});
	const columns: Column<Worker>[] = [
		{
			key: "worker",
			title: t("workers.one"),
			width: "minmax(12rem,1.2fr)",
			cell: (row) => (
				<span className="grid leading-tight">
					<span className="truncate font-medium">{row.host}</span>
					<span className="truncate font-mono text-2xs text-muted">{row.id}</span>
				</span>
			),
		},
		{
			key: "state",
			title: t("accounts.status"),
			width: "8rem",
			cell: (row) => {
				const isLate = now - row.beat_at_ms > DEAD_MS * 2;
				return (
					<span className="inline-flex items-center gap-1.5">
						<Dot tone={isLate ? "bad" : row.draining ? "warn" : "ok"} />
						{t(isLate ? "workers.lost" : row.draining ? "workers.draining" : "workers.alive")}
					</span>
				);
			},
		},
		{ key: "running", title: word("running"), width: "5rem", right: true, cell: (row) => number(row.running) },
		{ key: "beat", title: t("workers.beat"), width: "8rem", right: true, cell: (row) => relative(row.beat_at_ms, now) },
		{
			key: "up",
			title: t("workers.up"),
			width: "7rem",
			right: true,
			cell: (row) => span((now - row.started_at_ms) / 1000),
		},
		{ key: "pid", title: "PID", width: "5rem", right: true, cell: (row) => <Mono>{row.pid}</Mono> },
		{
			key: "kinds",
			title: t("workers.kinds"),
			width: "minmax(10rem,1.5fr)",
			cell: (row) => (
				<span className="flex gap-1 overflow-hidden">
					{row.kinds.map((kind) => (
						<Badge key={kind}>{word(kind)}</Badge>
					))}
				</span>
			),
		},
	];
	return (
		<Page title={t("workers.title")} about={t("workers.about")}>
			<WorkTabs />
			{workers.error ? (
				<ErrorBox error={workers.error} retry={() => void workers.refetch()} />
			) : (
				<RowTable
					label={t("workers.title")}
					columns={columns}
					rows={workers.data?.data ?? []}
					id={(row) => row.id}
					loading={workers.isPending}
					minWidth={1000}
					rowHeight={48}
					empty={
						<Empty icon={<Cpu size={20} aria-hidden />} title={t("workers.none")}>
							{t("workers.noneWhy")}
						</Empty>
					}
				/>
			)}
		</Page>
	);
}
