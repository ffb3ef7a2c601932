import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { Rocket } from "lucide-react";
import type { ReactNode } from "react";
import { api } from "../api/client";
import { has } from "../api/has";
import type { AccountSummary, Series, StatsOverview, System, Totals } from "../api/types";
import { t, word } from "../i18n";
import { compact, duration, number, percent, shortClock, span } from "../lib/format";
import { useNow } from "../lib/hooks";
import { useLive } from "../lib/live";
import { readyQuery } from "../shell/health";
import { Card, Dot, Progress, toneOf } from "../ui/bits";
import { Page, Segments } from "../ui/page";
import { Plot } from "../ui/plot";
import { Empty, ErrorBox, Loading, Skeleton } from "../ui/states";

const route = getRouteApi("/manage/");
const ranges = ["15m", "1h", "6h", "24h", "7d", "30d", "90d"] as const;
type Range = (typeof ranges)[number];

export function OverviewPage() {
	const chosen = route.useSearch().range as Range | undefined;
	const range = chosen && ranges.includes(chosen) ? chosen : "1h";
	const navigate = route.useNavigate();
	const every = range === "15m" || range === "1h" ? 10_000 : 60_000;
	const figures = useQuery({
		queryKey: ["overview", range],
		queryFn: () => api.get<StatsOverview>("/api/stats/overview", { range }),
		refetchInterval: every,
		placeholderData: keepPreviousData,
	});
	const series = useQuery({
		queryKey: ["series", range],
		queryFn: () => api.get<Series>("/api/stats/series", { range }),
		refetchInterval: every,
		placeholderData: keepPreviousData,
	});
	const summary = useQuery({
		queryKey: ["accounts", "summary"],
		queryFn: () => api.get<AccountSummary>("/api/accounts/summary"),
		refetchInterval: 15_000,
	});
	const isNew = summary.data?.total === 0;
	return (
		<Page
			title={t("nav.overview")}
			about={<LiveLine figures={figures.data} summary={summary.data} />}
			actions={
				<Segments
					label={t("overview.range")}
					value={range}
					options={ranges.map((value) => ({ value, label: t(`range.${value}`) }))}
					onChange={(value) => void navigate({ search: { range: value } })}
				/>
			}
		>
			<Banner />
			{isNew && (
				<Card>
					<Empty
						icon={<Rocket size={20} aria-hidden />}
						title={t("overview.new")}
						action={
							<Link
								to="/manage/setup"
								className="inline-flex h-[2.125rem] items-center rounded-md bg-accent px-3 font-medium text-on-accent hover:opacity-90"
							>
								{t("overview.setup")}
							</Link>
						}
					>
						{t("overview.newWhy")}
					</Empty>
				</Card>
			)}
			{figures.error ? (
				<ErrorBox error={figures.error} retry={() => void figures.refetch()} />
			) : (
				<Tiles figures={figures.data} summary={summary.data} />
			)}
			{series.error ? (
				<ErrorBox error={series.error} retry={() => void series.refetch()} />
			) : (
				<Plots series={series.data} />
			)}
			<div className={`grid gap-4 ${has("AccountSummary.capacity") ? "xl:grid-cols-2" : ""}`}>
				{has("AccountSummary.capacity") && <PoolCapacity summary={summary.data} error={summary.error} />}
				<Standing summary={summary.data} />
			</div>
			<div className="grid gap-4 md:grid-cols-3">
				<TopList title={t("overview.topModels")} rows={figures.data?.top_models} param="model" />
				<TopList title={t("overview.topKeys")} rows={figures.data?.top_keys} param="owner" />
				<TopList
					title={t("overview.topErrors")}
					rows={figures.data?.top_errors.map(({ code, count }) => ({ id: code, name: code, requests: count }))}
				/>
			</div>
		</Page>
	);
}

function LiveLine({ figures, summary }: { figures?: StatsOverview; summary?: AccountSummary }) {
	const { stats, connected } = useLive();
	if (!figures) return t("ui.loading");
	const perMinute = connected && stats ? stats.requests_per_min : figures.requests_last_minute;
	return (
		<span className="inline-flex flex-wrap items-center gap-x-4">
			<span className="inline-flex items-center gap-1.5">
				<Dot tone="ok" pulse /> {t("overview.perMinute", { n: number(perMinute) })}
			</span>
			<span>{t("overview.inFlight", { n: number(stats?.in_flight ?? summary?.in_flight ?? 0) })}</span>
			{stats && <span>{t("overview.queued", { n: number(stats.queues?.queued ?? 0) })}</span>}
		</span>
	);
}

function Banner() {
	const { data } = useQuery(readyQuery);
	const system = useQuery({
		queryKey: ["system"],
		queryFn: () => api.get<System>("/api/system"),
		staleTime: 30_000,
		enabled: has("GET /api/system"),
	});
	const now = useNow(30_000);
	const wrong = (data?.checks ?? []).filter((check) => check.status !== "ok");
	const facts = system.data;
	return (
		<Card>
			<div className="flex flex-wrap items-center justify-between gap-x-8 gap-y-2">
				<div className="flex items-center gap-2.5 text-lg font-semibold">
					<Dot tone={data?.status === "ready" ? "ok" : data?.status === "degraded" ? "warn" : data ? "bad" : "plain"} />
					{data ? (
						t(
							data.status === "ready"
								? "overview.allWell"
								: data.status === "degraded"
									? "overview.degraded"
									: "overview.unready",
						)
					) : (
						<Skeleton className="h-5 w-48" />
					)}
				</div>
				{facts && (
					<p className="flex flex-wrap gap-x-4 gap-y-1 text-sm text-muted">
						<span>{facts.version}</span>
						<span>{facts.database}</span>
						<span>{t("overview.queueOn", { kind: facts.queue })}</span>
						<span>{t("overview.up", { time: span((now - facts.started_at_ms) / 1000) })}</span>
					</p>
				)}
			</div>
			{wrong.length > 0 && (
				<ul className="mt-3 grid gap-1.5 border-t pt-3">
					{wrong.map((check) => (
						<li key={check.name} className="flex items-start gap-2">
							<span className="mt-1.5">
								<Dot tone={toneOf(check.status)} />
							</span>
							<span>
								<span className="font-medium">{word(check.name)}</span>{" "}
								<span className="text-muted">{check.hint || word(check.status)}</span>
							</span>
						</li>
					))}
				</ul>
			)}
		</Card>
	);
}

function Tile({ title, value, more, to }: { title: string; value: ReactNode; more?: ReactNode; to?: ReactNode }) {
	return (
		<div className="min-w-0 bg-surface p-4">
			<p className="text-sm text-muted">{title}</p>
			<p className="mt-1 truncate text-2xl leading-tight font-semibold tracking-tight">{value}</p>
			<p className="mt-0.5 min-h-5 truncate text-xs text-muted">{more}</p>
			{to}
		</div>
	);
}

function Change({ now, before, less }: { now: number; before?: number; less?: boolean }) {
	if (!before) return null;
	const part = (now - before) / before;
	const isGood = less ? part <= 0 : part >= 0;
	return (
		<span className={Math.abs(part) < 0.005 ? "" : isGood ? "text-ok" : "text-bad"}>
			{part >= 0 ? "▲" : "▼"} {percent(Math.abs(part))} <span className="text-muted">{t("overview.vsBefore")}</span>
		</span>
	);
}

const errorRate = ({ requests, errors }: Totals) => (requests > 0 ? errors / requests : 0);

function Tiles({ figures, summary }: { figures?: StatsOverview; summary?: AccountSummary }) {
	const wait = <Skeleton className="h-7 w-20" />;
	const { now, previous } = figures ?? {};
	return (
		<div className="grid grid-cols-2 gap-px overflow-hidden rounded-lg border bg-line shadow-card lg:grid-cols-3 2xl:grid-cols-6">
			<Tile
				title={t("overview.requests")}
				value={now ? compact(now.requests) : wait}
				more={now && <Change now={now.requests} before={previous?.requests} />}
			/>
			<Tile
				title={t("overview.errorRate")}
				value={now ? percent(errorRate(now)) : wait}
				more={now && previous && <Change now={errorRate(now)} before={errorRate(previous)} less />}
			/>
			<Tile
				title={t("overview.firstToken")}
				value={now ? duration(now.first_p50_ms) : wait}
				more={now && t("overview.p95", { time: duration(now.first_p95_ms) })}
			/>
			<Tile
				title={t("overview.tokens")}
				value={now ? compact(now.prompt_tokens + now.completion_tokens) : wait}
				more={now && t("overview.tokensInOut", { in: compact(now.prompt_tokens), out: compact(now.completion_tokens) })}
			/>
			<Tile
				title={t("overview.made")}
				value={now ? compact(now.images + now.videos) : wait}
				more={now && t("overview.madeParts", { images: number(now.images), videos: number(now.videos) })}
			/>
			<Tile
				title={t("overview.usable")}
				value={summary ? compact(summary.active + summary.unused) : wait}
				more={summary && t("overview.ofAll", { n: compact(summary.total) })}
			/>
		</div>
	);
}

function Plots({ series }: { series?: Series }) {
	if (!series) {
		return (
			<div className="grid gap-4 xl:grid-cols-2">
				{[0, 1, 2, 3].map((at) => (
					<Card key={at}>
						<Skeleton className="h-56 w-full" />
					</Card>
				))}
			</div>
		);
	}
	const { points, gauges } = series;
	return (
		<div className="grid gap-4 xl:grid-cols-2">
			<Plot
				title={t("overview.requests")}
				points={points}
				format={compact}
				lines={[
					{ key: "requests", title: t("overview.requests"), colour: "--accent", area: true },
					{ key: "errors", title: t("overview.errors"), colour: "--bad" },
				]}
			/>
			<Plot
				title={t("overview.firstToken")}
				points={points}
				format={duration}
				lines={[
					{ key: "first_p50_ms", title: "p50", colour: "--accent" },
					{ key: "first_p95_ms", title: "p95", colour: "--warn" },
					{ key: "first_p99_ms", title: "p99", colour: "--bad", dash: true },
				]}
			/>
			<Plot
				title={t("overview.tokens")}
				points={points}
				format={compact}
				lines={[
					{ key: "prompt_tokens", title: t("overview.in"), colour: "--info" },
					{ key: "completion_tokens", title: t("overview.out"), colour: "--accent", area: true },
				]}
			/>
			<Plot
				title={t("overview.accountsAndWork")}
				points={gauges}
				format={compact}
				lines={[
					{ key: "accounts_active", title: word("active"), colour: "--ok" },
					{ key: "accounts_cooling", title: word("cooling"), colour: "--info" },
					{ key: "accounts_limited", title: word("limited"), colour: "--warn" },
					{ key: "running", title: word("running"), colour: "--accent", dash: true },
					{ key: "queued", title: word("queued"), colour: "--muted", dash: true },
				]}
			/>
		</div>
	);
}

function PoolCapacity({ summary, error }: { summary?: AccountSummary; error: unknown }) {
	const now = useNow(1000);
	return (
		<Card title={t("overview.capacity")}>
			{error ? <ErrorBox error={error} /> : null}
			{!summary && !error && <Loading />}
			{summary && !summary.capacity?.length && <p className="text-muted">{t("overview.noCapacity")}</p>}
			<ul className="grid gap-3.5">
				{summary?.capacity?.map((row) => (
					<li key={row.model} className="grid gap-1.5">
						<div className="flex flex-wrap items-baseline justify-between gap-x-4">
							<span className="font-medium">{row.model}</span>
							<span className="text-sm text-muted">
								<span className="font-medium text-ink">
									{t("overview.left", { n: number(row.remaining_requests) })}
								</span>{" "}
								{row.next_reset_at_ms && row.next_reset_at_ms > now
									? t("overview.untilReset", {
											time: shortClock(row.next_reset_at_ms),
											in: span((row.next_reset_at_ms - now) / 1000),
										})
									: t("overview.byAccounts", { n: number(row.usable_accounts) })}
							</span>
						</div>
						<Progress
							label={row.model}
							value={row.total_requests > 0 ? (row.remaining_requests / row.total_requests) * 100 : 0}
							tone={
								row.remaining_requests === 0
									? "bad"
									: row.remaining_requests < row.total_requests * 0.15
										? "warn"
										: "accent"
							}
						/>
					</li>
				))}
			</ul>
		</Card>
	);
}

function Standing({ summary }: { summary?: AccountSummary }) {
	const { stats } = useLive();
	const counts = summary
		? (["active", "unused", "limited", "cooling", "expired", "disabled"] as const).map(
				(name) => [name, summary[name]] as const,
			)
		: [];
	const total = summary?.total ?? 0;
	return (
		<Card
			title={t("nav.accounts")}
			aside={
				<Link to="/manage/accounts" className="text-sm text-accent underline">
					{t("overview.all")}
				</Link>
			}
		>
			{!summary && <Loading />}
			<ul className="grid gap-3.5">
				{counts.map(([status, count]) => (
					<li key={status} className="grid gap-1.5">
						<div className="flex justify-between gap-4">
							<Link
								to="/manage/accounts"
								search={
									["active", "unused", "limited"].includes(status) ? { status: "active", standing: status } : { status }
								}
								className="inline-flex items-center gap-2 font-medium hover:underline"
							>
								<Dot tone={toneOf(status)} />
								{word(status)}
							</Link>
							<span className="text-muted">
								<span className="font-medium text-ink">{number(count)}</span> {total > 0 && percent(count / total)}
							</span>
						</div>
						<Progress label={word(status)} value={total > 0 ? (count / total) * 100 : 0} tone={toneOf(status)} />
					</li>
				))}
			</ul>
			{summary && (
				<p className="mt-4 border-t pt-3 text-sm text-muted">
					{t("overview.now", {
						flight: number(stats?.in_flight ?? summary.in_flight),
						waiting: number(stats?.waiting ?? summary.waiting),
					})}
				</p>
			)}
		</Card>
	);
}

type Row = { id: string; name?: string; requests: number };

function TopList({ title, rows, param }: { title: string; rows?: readonly Row[]; param?: "model" | "owner" }) {
	const most = Math.max(1, ...(rows ?? []).map((row) => row.requests));
	return (
		<Card title={title}>
			{!rows && <Loading />}
			{rows?.length === 0 && <p className="text-muted">{t("overview.nothingYet")}</p>}
			<ol className="grid gap-2.5">
				{rows?.map((row) => (
					<li key={row.id} className="grid gap-1">
						<div className="flex justify-between gap-3">
							{param ? (
								<Link to="/manage/requests" search={{ [param]: row.id }} className="min-w-0 truncate hover:underline">
									{row.name ?? row.id}
								</Link>
							) : (
								<span className="min-w-0 truncate font-mono text-xs leading-5">{row.name ?? row.id}</span>
							)}
							<span className="shrink-0 font-medium">{compact(row.requests)}</span>
						</div>
						<div
							aria-hidden
							className="h-1 rounded-full bg-accent/60"
							style={{ width: `${(row.requests / most) * 100}%` }}
						/>
					</li>
				))}
			</ol>
		</Card>
	);
}
