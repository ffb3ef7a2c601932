import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { Ban, ListChecks, RotateCcw } from "lucide-react";
import { type ReactNode, useState } from "react";
import { ApiError, api } from "../api/client";
import { has } from "../api/has";
import type { JobBulk, JobCounts, JobDetail, JobRow } from "../api/types";
import { t, word } from "../i18n";
import { dateTime, duration, number, relative } from "../lib/format";
import { useCursorList } from "../lib/hooks";
import { useLive } from "../lib/live";
import { Code, CopyButton, Dot, Facts, Mono, Progress, Status, toneOf } from "../ui/bits";
import { Button } from "../ui/button";
import { Confirm, Dialog } from "../ui/dialog";
import { Filters } from "../ui/filters";
import { Page } from "../ui/page";
import { Empty, ErrorBox, Loading } from "../ui/states";
import { type Column, RowTable } from "../ui/table";
import { toast, toastError } from "../ui/toast";
import { WorkTabs } from "./work-tabs";

const route = getRouteApi("/manage/jobs");
const states = ["queued", "running", "completed", "failed", "cancelled"];
const hasCounts = has("GET /api/jobs/counts");
const hasBulk = has("POST /api/jobs/retry");
const allKinds = [
	"generate_image",
	"generate_video",
	"cache_media",
	"bulk_import",
	"bulk_test",
	"bulk_tag",
	"bulk_enable",
	"bulk_disable",
	"bulk_delete",
	"token_test",
	"quota_reset",
	"sweep_media",
	"stats_rollup",
];
const canRetry = (status: string) => status === "failed" || status === "cancelled";

export function JobsPage() {
	const search = route.useSearch();
	const navigate = route.useNavigate();
	const client = useQueryClient();
	const { open, ...filter } = search;
	const go = (change: Partial<typeof search>) =>
		void navigate({ search: (now) => ({ ...now, ...change }), replace: true });
	const list = useCursorList<JobRow>("jobs", "/api/jobs", filter, 100);
	const counts = useQuery({
		queryKey: ["jobs", "counts"],
		queryFn: () => api.get<JobCounts>("/api/jobs/counts"),
		enabled: hasCounts,
		staleTime: 5000,
	});
	const { jobs } = useLive();
	const [selected, setSelected] = useState<Set<string>>(new Set());
	const [asked, setAsked] = useState<"retry" | "cancel" | null>(null);
	const [busy, setBusy] = useState(false);
	const isFiltered = Boolean(filter.kind || filter.status || filter.error_code);
	const sum = (status: string) =>
		(counts.data?.data ?? []).filter((one) => one.status === status).reduce((total, one) => total + one.count, 0);
	const kinds = counts.data ? [...new Set(counts.data.data.map((one) => one.kind))].sort() : allKinds;
	const matching = (counts.data?.data ?? [])
		.filter((one) => (!filter.kind || one.kind === filter.kind) && (!filter.status || one.status === filter.status))
		.reduce((total, one) => total + one.count, 0);
	const count = selected.size || matching;
	const run = async (act: "retry" | "cancel") => {
		const body =
			selected.size > 0
				? { ids: [...selected] }
				: { filter: { kind: filter.kind, status: filter.status, error_code: filter.error_code } };
		setBusy(true);
		try {
			const { changed } = await api.post<JobBulk>(`/api/jobs/${act}`, body);
			toast(t(act === "retry" ? "jobs.retriedN" : "jobs.cancelledN", { n: number(changed) }));
			setSelected(new Set());
			setAsked(null);
			void client.invalidateQueries({ queryKey: ["jobs"] });
		} catch (error) {
			toastError(error);
		} finally {
			setBusy(false);
		}
	};
	const columns: Column<JobRow>[] = [
		{
			key: "job",
			title: t("jobs.job"),
			width: "minmax(10rem,1.2fr)",
			cell: (row) => (
				<span className="grid leading-tight">
					<span className="truncate font-medium">{word(row.kind)}</span>
					<span className="truncate font-mono text-2xs text-muted">{row.id}</span>
				</span>
			),
		},
		{
			key: "status",
			title: t("accounts.status"),
			width: "8rem",
			cell: (row) => <Status value={jobs.get(row.id)?.status ?? row.status} />,
		},
		{
			key: "progress",
			title: t("jobs.progress"),
			width: "minmax(9rem,1fr)",
			cell: (row) => {
				const bulk = jobs.get(row.id)?.bulk ?? row.bulk;
				const part =
					bulk && bulk.total > 0
						? ((bulk.done + bulk.failed) / bulk.total) * 100
						: (jobs.get(row.id)?.progress ?? row.progress);
				if (row.error) return <span className="text-bad">{row.error.code}</span>;
				return (
					<span className="grid gap-1">
						<span className="text-2xs text-muted">
							{bulk ? `${number(bulk.done)} / ${number(bulk.total)}` : `${Math.round(part)} %`}
						</span>
						<Progress label={t("jobs.progress")} value={part} />
					</span>
				);
			},
		},
		{
			key: "owner",
			title: t("requests.key"),
			width: "minmax(6rem,0.7fr)",
			cell: (row) => row.key_name || row.owner || "–",
		},
		{ key: "tries", title: t("jobs.tries"), width: "5rem", right: true, cell: (row) => number(row.tries) },
		{
			key: "created",
			title: t("jobs.created"),
			width: "7.5rem",
			right: true,
			cell: (row) => <span title={dateTime(row.created_at_ms)}>{relative(row.created_at_ms)}</span>,
		},
		{
			key: "took",
			title: t("jobs.took"),
			width: "6rem",
			right: true,
			cell: (row) => (row.started_at_ms ? duration((row.finished_at_ms ?? Date.now()) - row.started_at_ms) : "–"),
		},
	];
	return (
		<Page
			title={t("nav.jobs")}
			about={t("jobs.about")}
			actions={
				hasBulk &&
				(selected.size > 0 || isFiltered) && (
					<>
						<Button icon={<RotateCcw size={15} aria-hidden />} onClick={() => setAsked("retry")}>
							{t("jobs.retryN", { n: number(count) })}
						</Button>
						<Button kind="danger" icon={<Ban size={15} aria-hidden />} onClick={() => setAsked("cancel")}>
							{t("jobs.cancelN", { n: number(count) })}
						</Button>
					</>
				)
			}
		>
			<WorkTabs />
			<div
				role="group"
				aria-label={t("jobs.states")}
				className="grid grid-cols-2 gap-px overflow-hidden rounded-lg border bg-line shadow-card sm:grid-cols-5"
			>
				{states.map((status) => (
					<button
						key={status}
						type="button"
						aria-pressed={filter.status === status}
						onClick={() => go({ status: filter.status === status ? undefined : status })}
						className={`p-3 text-left ${filter.status === status ? "bg-accent-soft" : "bg-surface hover:bg-sunken"}`}
					>
						<span className="flex items-center gap-2 text-sm text-muted">
							<Dot tone={toneOf(status)} />
							{status === "failed" ? t("jobs.dead") : word(status)}
						</span>
						{hasCounts && <span className="text-xl font-semibold">{counts.data ? number(sum(status)) : "–"}</span>}
					</button>
				))}
			</div>
			<Filters
				choices={[
					{ name: "kind", label: t("jobs.kind"), options: kinds.map((value) => ({ value, label: word(value) })) },
				]}
				texts={
					hasBulk
						? [
								{ name: "error_code", label: t("jobs.errorCode") },
								{ name: "owner", label: t("requests.key") },
							]
						: []
				}
				value={filter}
				onChange={(value) => {
					setSelected(new Set());
					go(value);
				}}
			/>
			{list.error ? (
				<ErrorBox error={list.error} retry={() => void list.refetch()} />
			) : (
				<RowTable
					label={t("nav.jobs")}
					columns={columns}
					rows={list.rows}
					id={(row) => row.id}
					loading={list.isPending}
					loadingMore={list.isFetchingNextPage}
					more={() => list.hasNextPage && !list.isFetchingNextPage && void list.fetchNextPage()}
					selected={hasBulk ? selected : undefined}
					onSelect={setSelected}
					onOpen={(row) => go({ open: row.id })}
					minWidth={880}
					rowHeight={48}
					height="calc(100dvh - 20rem)"
					empty={
						<Empty
							icon={<ListChecks size={20} aria-hidden />}
							title={t(filter.status === "failed" ? "jobs.noDead" : "jobs.none")}
						>
							{t("jobs.noneWhy")}
						</Empty>
					}
				/>
			)}
			{open && <JobDrawer key={open} id={open} onClose={() => go({ open: undefined })} />}
			{asked && (
				<Confirm
					title={t(asked === "retry" ? "jobs.askRetry" : "jobs.askCancel", { n: number(count) })}
					action={t(asked === "retry" ? "jobs.retry" : "jobs.cancel")}
					danger={asked === "cancel"}
					typed={count >= 20 ? String(count) : undefined}
					busy={busy}
					onClose={() => setAsked(null)}
					onConfirm={() => void run(asked)}
				>
					<p>{t(asked === "retry" ? "jobs.whyRetry" : "jobs.whyCancel")}</p>
				</Confirm>
			)}
		</Page>
	);
}

function JobDrawer({ id, onClose }: { id: string; onClose: () => void }) {
	const client = useQueryClient();
	const { jobs } = useLive();
	const [unknown, setUnknown] = useState(false);
	const job = useQuery({
		queryKey: ["jobs", "one", id],
		queryFn: () =>
			api.get<JobDetail>(`/api/jobs/${encodeURIComponent(id)}`).then(({ job, attempts }) => ({ ...job, attempts })),
	});
	const act = async (what: "retry" | "cancel", body?: unknown) => {
		try {
			await api.post(`/api/jobs/${id}/${what}`, what === "retry" ? (body ?? {}) : undefined);
			toast(t(what === "retry" ? "jobs.retried" : "jobs.cancelled"));
			setUnknown(false);
		} catch (error) {
			if (error instanceof ApiError && error.code === "outcome_unknown") setUnknown(true);
			else toastError(error);
		} finally {
			void client.invalidateQueries({ queryKey: ["jobs"] });
		}
	};
	const row = job.data && { ...job.data, ...(jobs.get(id) ?? {}) };
	const isOver = row && ["completed", "failed", "cancelled"].includes(row.status);
	return (
		<Dialog
			side
			title={row ? word(row.kind) : t("jobs.job")}
			onClose={onClose}
			footer={
				row && (
					<>
						{!isOver && (
							<Button kind="danger" onClick={() => void act("cancel")}>
								{t("jobs.cancel")}
							</Button>
						)}
						{canRetry(row.status) && (
							<Button kind="primary" icon={<RotateCcw size={15} aria-hidden />} onClick={() => void act("retry")}>
								{t("jobs.retry")}
							</Button>
						)}
					</>
				)
			}
		>
			{job.error ? <ErrorBox error={job.error} retry={() => void job.refetch()} /> : null}
			{job.isPending && <Loading rows={8} />}
			{row && (
				<div className="grid gap-6">
					{row.error && (
						<div className="rounded-md bg-bad-soft p-3">
							<p className="font-mono text-xs text-bad">{row.error.code}</p>
							<p>{row.error.message}</p>
						</div>
					)}
					<Progress
						label={t("jobs.progress")}
						value={
							row.bulk && row.bulk.total > 0 ? ((row.bulk.done + row.bulk.failed) / row.bulk.total) * 100 : row.progress
						}
					/>
					<Facts
						rows={[
							[t("accounts.status"), <Status key="status" value={row.status} />],
							...(row.step ? [[t("jobs.step"), word(row.step)] as [string, string]] : []),
							[
								"ID",
								<span key="id" className="flex items-center gap-1">
									<Mono>{row.id}</Mono>
									<CopyButton text={row.id} />
								</span>,
							],
							[t("requests.key"), row.key_name || row.owner || "–"],
							[t("jobs.counts"), t("jobs.countsText", { epoch: row.epoch, tries: row.tries, crashes: row.crashes })],
							[
								t("accounts.account"),
								row.account_id ? (
									<Link
										key="account"
										to="/manage/accounts"
										search={{ open: row.account_id }}
										className="font-mono text-xs text-accent underline"
									>
										{row.account_id}
									</Link>
								) : (
									"–"
								),
							],
							...(row.generation_id
								? [
										[
											t("generations.one"),
											<Link
												key="generation"
												to="/manage/generations"
												search={{ open: row.generation_id }}
												className="font-mono text-xs text-accent underline"
											>
												{row.generation_id}
											</Link>,
										] as [string, ReactNode],
									]
								: []),
							[t("jobs.holder"), row.worker_id ? <Mono key="holder">{row.worker_id}</Mono> : "–"],
							[t("jobs.created"), dateTime(row.created_at_ms)],
							[t("jobs.runAt"), dateTime(row.run_at_ms)],
							[t("jobs.finished"), dateTime(row.finished_at_ms)],
						]}
					/>
					<section>
						<h3 className="mb-2 font-semibold">{t("jobs.attempts")}</h3>
						{(row.attempts ?? []).length === 0 && <p className="text-muted">{t("jobs.noAttempts")}</p>}
						<ol>
							{row.attempts?.map((one, at) => (
								<li key={at} className="grid grid-cols-[auto_1fr_auto] items-baseline gap-3 border-l pb-3 pl-4">
									<span className="-ml-[1.3rem] self-center bg-surface">
										<Dot tone={one.outcome ? toneOf(one.outcome) : "info"} />
									</span>
									<span className="min-w-0">
										{word(one.outcome ?? "running")}{" "}
										<span className="text-muted">
											{one.finished_at_ms ? duration(one.finished_at_ms - one.started_at_ms) : ""}
										</span>
									</span>
									<time className="text-xs text-muted">{dateTime(one.started_at_ms)}</time>
								</li>
							))}
						</ol>
					</section>
					{row.args !== undefined && (
						<section className="grid gap-2">
							<h3 className="font-semibold">{t("jobs.args")}</h3>
							<Code text={JSON.stringify(row.args, null, 2)} label={t("jobs.args")} />
						</section>
					)}
				</div>
			)}
			{unknown && (
				<Confirm
					title={t("jobs.unknownTitle")}
					action={t("jobs.resubmit")}
					danger
					onClose={() => setUnknown(false)}
					onConfirm={() => void act("retry", { resubmit: true })}
				>
					<p>{t("jobs.unknownWhy")}</p>
				</Confirm>
			)}
		</Dialog>
	);
}
