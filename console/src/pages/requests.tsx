import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { Activity, Download } from "lucide-react";
import { useState } from "react";
import { api, withQuery } from "../api/client";
import { has } from "../api/has";
import type { RequestRow } from "../api/types";
import { t, word } from "../i18n";
import { clock, compact, dateTime, duration, number } from "../lib/format";
import { useCursorList } from "../lib/hooks";
import { useLive } from "../lib/live";
import { Badge, CopyButton, Facts, Mono } from "../ui/bits";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { Filters } from "../ui/filters";
import { Menu } from "../ui/menu";
import { Page, Segments } from "../ui/page";
import { Empty, ErrorBox, Loading } from "../ui/states";
import { type Column, RowTable } from "../ui/table";

const route = getRouteApi("/manage/requests");
/** Where the gateway does not tell of requests by itself, it is asked every other second. */
const isPushed = has("GET /api/events");
const toneOfStatus = (status: number) => (status < 400 ? "ok" : status < 500 ? "warn" : "bad");

const columns = (): Column<RequestRow>[] => [
	{
		key: "at",
		title: t("ui.time"),
		width: "6rem",
		cell: (row) => <span title={dateTime(row.at_ms)}>{clock(row.at_ms)}</span>,
	},
	{
		key: "status",
		title: t("requests.status"),
		width: "5rem",
		cell: (row) => <Badge tone={toneOfStatus(row.status)}>{row.status}</Badge>,
	},
	{
		key: "endpoint",
		title: t("requests.endpoint"),
		width: "minmax(9rem,1fr)",
		cell: (row) => (
			<span className="grid leading-tight">
				<span className="truncate">{row.model || "–"}</span>
				<span className="truncate text-2xs text-muted">{row.endpoint}</span>
			</span>
		),
	},
	{
		key: "key",
		title: t("requests.key"),
		width: "minmax(7rem,0.8fr)",
		cell: (row) => row.key_name || row.owner || "–",
	},
	{
		key: "outcome",
		title: t("requests.outcome"),
		width: "minmax(8rem,1fr)",
		cell: (row) =>
			row.error_code ? (
				<span className="text-bad">{row.error_code}</span>
			) : (
				<span className="text-muted">{row.streamed ? t("requests.streamed") : t("requests.whole")}</span>
			),
	},
	{
		key: "tokens",
		title: t("requests.tokens"),
		width: "7rem",
		right: true,
		cell: (row) =>
			row.prompt_tokens == null ? "–" : `${compact(row.prompt_tokens)} / ${compact(row.completion_tokens)}`,
	},
	{ key: "first", title: t("requests.first"), width: "6rem", right: true, cell: (row) => duration(row.first_ms) },
	{ key: "total", title: t("requests.total"), width: "6rem", right: true, cell: (row) => duration(row.total_ms) },
];

export function RequestsPage() {
	const search = route.useSearch();
	const navigate = route.useNavigate();
	const { view = "history", open, ...filter } = search;
	const isTail = view === "tail";
	const go = (change: Partial<typeof search>) =>
		void navigate({ search: (now) => ({ ...now, ...change }), replace: true });
	const [frozen, setFrozen] = useState<RequestRow[] | null>(null);
	const list = useCursorList<RequestRow>(
		"requests",
		"/api/requests",
		filter,
		100,
		!isTail || !isPushed,
		isPushed || frozen ? undefined : isTail ? 2000 : 5000,
	);
	const live = useLive();
	const matches = (row: RequestRow) =>
		(!filter.model || row.model === filter.model) &&
		(!filter.owner || row.owner === filter.owner) &&
		(!filter.endpoint || row.endpoint === filter.endpoint) &&
		(!filter.status || String(row.status) === filter.status || `${Math.floor(row.status / 100)}xx` === filter.status) &&
		(filter.outcome !== "ok" || row.status < 400) &&
		(filter.outcome !== "error" || row.status >= 400);
	const rows = isTail && (isPushed || frozen) ? (frozen ?? live.tail).filter(matches) : list.rows;
	const download = (format: string) => {
		window.location.assign(withQuery("/api/requests/export", { ...filter, format }));
	};
	return (
		<Page
			title={t("nav.requests")}
			about={t("requests.about")}
			actions={
				<>
					<Segments
						label={t("requests.view")}
						value={isTail ? "tail" : "history"}
						options={[
							{ value: "history", label: t("requests.history") },
							{ value: "tail", label: t("requests.tail") },
						]}
						onChange={(view) => go({ view })}
					/>
					{isTail && (
						<Button onClick={() => setFrozen(frozen ? null : isPushed ? live.tail : list.rows)}>
							{t(frozen ? "requests.resume" : "requests.freeze")}
						</Button>
					)}
					<Menu
						trigger={<Button icon={<Download size={15} aria-hidden />}>{t("requests.export")}</Button>}
						items={[
							{ label: "CSV", act: () => download("csv") },
							{ label: "NDJSON", act: () => download("ndjson") },
						]}
					/>
				</>
			}
		>
			<Filters
				search={{ name: "model", label: t("requests.model") }}
				choices={[
					{
						name: "outcome",
						label: t("requests.outcome"),
						options: ["ok", "error", "client_gone"].map((value) => ({ value, label: word(value) })),
					},
					{
						name: "status",
						label: t("requests.status"),
						options: ["2xx", "4xx", "5xx", "429"].map((value) => ({ value, label: value })),
					},
				]}
				texts={[
					{ name: "owner", label: t("requests.key") },
					{ name: "request_id", label: t("ui.requestId") },
					{ name: "account_id", label: t("accounts.account") },
				]}
				value={filter}
				onChange={go}
			/>
			{isTail && live.dropped > 0 && (
				<p className="text-sm text-muted">{t("requests.dropped", { n: number(live.dropped) })}</p>
			)}
			{list.error && !(isTail && isPushed) ? (
				<ErrorBox error={list.error} retry={() => void list.refetch()} />
			) : (
				<RowTable
					label={t("nav.requests")}
					columns={columns()}
					rows={rows}
					total={isTail ? rows.length : undefined}
					id={(row) => row.id || row.request_id}
					loading={!isTail && list.isPending}
					loadingMore={list.isFetchingNextPage}
					more={() => !isTail && list.hasNextPage && !list.isFetchingNextPage && void list.fetchNextPage()}
					onOpen={(row) => go({ open: row.id })}
					minWidth={900}
					empty={
						<Empty icon={<Activity size={20} aria-hidden />} title={t(isTail ? "requests.waiting" : "requests.none")}>
							{t(isTail ? "requests.waitingWhy" : "requests.noneWhy")}
						</Empty>
					}
				/>
			)}
			{open && <RequestDrawer key={open} id={open} onClose={() => go({ open: undefined })} />}
		</Page>
	);
}

function RequestDrawer({ id, onClose }: { id: string; onClose: () => void }) {
	const {
		data: row,
		error,
		isPending,
		refetch,
	} = useQuery({
		queryKey: ["requests", "one", id],
		queryFn: () => api.get<RequestRow>(`/api/requests/${encodeURIComponent(id)}`),
	});
	return (
		<Dialog side title={row ? `${row.endpoint} · ${row.status}` : t("requests.one")} onClose={onClose}>
			{error ? <ErrorBox error={error} retry={() => void refetch()} /> : null}
			{isPending && <Loading rows={8} />}
			{row && (
				<div className="grid gap-6">
					<Facts
						rows={[
							[t("ui.time"), dateTime(row.at_ms)],
							[
								t("ui.requestId"),
								<span key="id" className="flex items-center gap-1">
									<Mono>{row.request_id}</Mono>
									<CopyButton text={row.request_id} />
								</span>,
							],
							[t("requests.model"), row.model || "–"],
							[t("requests.key"), row.key_name || row.owner || "–"],
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
							[t("requests.outcome"), row.error_code ? <span className="text-bad">{row.error_code}</span> : word("ok")],
							[t("requests.attempts"), number(row.attempts)],
							[
								t("requests.tokens"),
								t("requests.tokensParts", {
									in: number(row.prompt_tokens),
									out: number(row.completion_tokens),
									think: number(row.reasoning_tokens),
								}),
							],
							...(row.images || row.videos
								? [
										[
											t("overview.made"),
											t("overview.madeParts", { images: number(row.images ?? 0), videos: number(row.videos ?? 0) }),
										] as [string, string],
									]
								: []),
						]}
					/>
					{has("RequestRow.waterfall") && <Waterfall row={row} />}
				</div>
			)}
		</Dialog>
	);
}

function Waterfall({ row }: { row: RequestRow }) {
	const fall = row.waterfall;
	if (!fall) return <p className="text-muted">{t("requests.noWaterfall")}</p>;
	const total = Math.max(1, fall.total_ms ?? row.total_ms ?? 1);
	const bars: { name: string; from: number; to: number; look: string }[] = [];
	if (fall.wait_ms) bars.push({ name: t("fall.wait"), from: 0, to: fall.wait_ms, look: "bg-muted" });
	fall.tries.forEach((one, at) => {
		const end = one.ended_ms ?? total;
		const name = t("fall.try", { n: at + 1 });
		const headers = one.headers_ms ?? one.first_ms ?? end;
		bars.push({ name: `${name} · ${t("fall.connect")}`, from: one.began_ms, to: headers, look: "bg-info" });
		if (one.headers_ms != null && one.first_ms != null)
			bars.push({ name: `${name} · ${t("fall.first")}`, from: one.headers_ms, to: one.first_ms, look: "bg-warn" });
		if (one.first_ms != null)
			bars.push({ name: `${name} · ${t("fall.stream")}`, from: one.first_ms, to: end, look: "bg-accent" });
	});
	return (
		<section>
			<h3 className="mb-3 font-semibold">{t("requests.waterfall")}</h3>
			<ol className="grid gap-2">
				{bars.map((bar, at) => (
					<li key={at} className="grid grid-cols-[8.5rem_1fr_4rem] items-center gap-3 text-xs">
						<span className="truncate">{bar.name}</span>
						<span className="relative h-3 rounded bg-sunken">
							<span
								aria-hidden
								className={`absolute inset-y-0 rounded ${bar.look}`}
								style={{
									left: `${(bar.from / total) * 100}%`,
									width: `max(2px, ${((bar.to - bar.from) / total) * 100}%)`,
								}}
							/>
						</span>
						<span className="text-right text-muted">{duration(bar.to - bar.from)}</span>
					</li>
				))}
			</ol>
			<ul className="mt-3 grid gap-1 text-xs text-muted">
				{fall.tries.map((one, at) => (
					<li key={at}>
						{t("fall.try", { n: at + 1 })}: <Mono>{one.account_id ?? "–"}</Mono> · {word(one.outcome)}
					</li>
				))}
			</ul>
		</section>
	);
}
