import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { CirclePlay, Pause, Play } from "lucide-react";
import { api } from "../api/client";
import { has } from "../api/has";
import type { List, Schedule } from "../api/types";
import { t, word } from "../i18n";
import { dateTime, relative } from "../lib/format";
import { useNow } from "../lib/hooks";
import { Badge, Mono, Status } from "../ui/bits";
import { Button } from "../ui/button";
import { Page } from "../ui/page";
import { Empty, ErrorBox } from "../ui/states";
import { type Column, RowTable } from "../ui/table";
import { toast, toastError } from "../ui/toast";
import { WorkTabs } from "./work-tabs";

export function SchedulesPage() {
	const client = useQueryClient();
	const now = useNow(1000);
	const schedules = useQuery({
		queryKey: ["schedules"],
		queryFn: () => api.get<List<Schedule>>("/api/schedules"),
		refetchInterval: 15_000,
	});
	const act = (name: string, what: "run" | "pause" | "resume") =>
		api
			.post(`/api/schedules/${name}/${what}`)
			.then(() => toast(t(`schedules.did.${what}`, { name: word(name) })))
			.catch(toastError)
			.finally(() => client.invalidateQueries({ queryKey: ["schedules"] }));
	const columns: Column<Schedule>[] = [
		{
			key: "name",
			title: t("schedules.one"),
			width: "minmax(11rem,1.3fr)",
			cell: (row) => (
				<span className="flex items-center gap-2">
					<span className="truncate font-medium">{word(row.name)}</span>
					{row.paused && <Badge tone="warn">{t("queues.paused")}</Badge>}
				</span>
			),
		},
		{
			key: "cadence",
			title: t("schedules.cadence"),
			width: "minmax(8rem,1fr)",
			cell: (row) => <Mono>{row.cadence}</Mono>,
		},
		{
			key: "next",
			title: t("schedules.next"),
			width: "9rem",
			cell: (row) =>
				row.paused || !row.next_at_ms ? (
					"–"
				) : (
					<span title={`${dateTime(row.next_at_ms)} · ${new Date(row.next_at_ms).toISOString()}`}>
						{relative(row.next_at_ms, now)}
					</span>
				),
		},
		{
			key: "last",
			title: t("schedules.last"),
			width: "9rem",
			cell: (row) => <span title={dateTime(row.last_at_ms)}>{relative(row.last_at_ms, now)}</span>,
		},
		{
			key: "status",
			title: t("schedules.result"),
			width: "minmax(9rem,1fr)",
			cell: (row) =>
				row.last_job_id && has("GET /api/jobs") ? (
					<Link
						to="/manage/jobs"
						search={{ open: row.last_job_id }}
						className="hover:underline"
						title={row.last_error ?? undefined}
					>
						<Status value={row.last_status} />
					</Link>
				) : (
					<span title={row.last_error ?? undefined}>{row.last_status ? <Status value={row.last_status} /> : "–"}</span>
				),
		},
		{
			key: "act",
			title: t("ui.actions"),
			width: "14rem",
			right: true,
			cell: (row) => (
				<span className="flex justify-end gap-1.5">
					<Button
						size="sm"
						icon={<CirclePlay size={13} aria-hidden />}
						aria-label={`${t("schedules.run")}: ${word(row.name)}`}
						onClick={() => void act(row.name, "run")}
					>
						{t("schedules.run")}
					</Button>
					<Button
						size="sm"
						icon={row.paused ? <Play size={13} aria-hidden /> : <Pause size={13} aria-hidden />}
						aria-label={`${t(row.paused ? "queues.resume" : "queues.pause")}: ${word(row.name)}`}
						onClick={() => void act(row.name, row.paused ? "resume" : "pause")}
					>
						{t(row.paused ? "queues.resume" : "queues.pause")}
					</Button>
				</span>
			),
		},
	];
	return (
		<Page title={t("nav.schedules")} about={t("schedules.about")}>
			<WorkTabs />
			{schedules.error ? (
				<ErrorBox error={schedules.error} retry={() => void schedules.refetch()} />
			) : (
				<RowTable
					label={t("nav.schedules")}
					columns={columns}
					rows={schedules.data?.data ?? []}
					id={(row) => row.name}
					loading={schedules.isPending}
					minWidth={960}
					empty={<Empty title={t("schedules.none")} />}
				/>
			)}
		</Page>
	);
}
