import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { Ban, Download, Film, ImageIcon, Images, RotateCcw } from "lucide-react";
import { useState } from "react";
import { api } from "../api/client";
import { has } from "../api/has";
import type { Generation } from "../api/types";
import { t, word } from "../i18n";
import { bytes, dateTime, mediaPath, relative } from "../lib/format";
import { useCursorList } from "../lib/hooks";
import { useLive } from "../lib/live";
import { Badge, CopyButton, Facts, Mono, Progress, Status } from "../ui/bits";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { Filters } from "../ui/filters";
import { Page } from "../ui/page";
import { Empty, ErrorBox, Loading, Skeleton } from "../ui/states";
import { toast, toastError } from "../ui/toast";

const route = getRouteApi("/manage/generations");
const isOver = (status: string) => ["completed", "failed", "cancelled"].includes(status);

export function GenerationsPage() {
	const search = route.useSearch();
	const navigate = route.useNavigate();
	const { open, ...filter } = search;
	const go = (change: Partial<typeof search>) =>
		void navigate({ search: (now) => ({ ...now, ...change }), replace: true });
	const list = useCursorList<Generation>("generations", "/api/generations", filter, 48);
	return (
		<Page title={t("nav.generations")} about={t("generations.about")}>
			<Filters
				search={has("GET /api/generations?search") ? { name: "search", label: t("generations.search") } : undefined}
				choices={[
					{
						name: "kind",
						label: t("jobs.kind"),
						options: ["image", "edit", "video"].map((value) => ({ value, label: word(value) })),
					},
					{
						name: "status",
						label: t("accounts.status"),
						options: ["queued", "running", "completed", "failed", "cancelled"].map((value) => ({
							value,
							label: word(value),
						})),
					},
				]}
				value={filter}
				onChange={go}
			/>
			{list.error ? <ErrorBox error={list.error} retry={() => void list.refetch()} /> : null}
			{!list.isPending && !list.error && list.rows.length === 0 && (
				<div className="rounded-lg border bg-surface shadow-card">
					<Empty
						icon={<Images size={20} aria-hidden />}
						title={t("generations.none")}
						action={
							<Link to="/manage/playground" search={{ mode: "image" }} className="text-accent underline">
								{t("generations.try")}
							</Link>
						}
					>
						{t("generations.noneWhy")}
					</Empty>
				</div>
			)}
			<ul className="grid grid-cols-2 gap-3 sm:grid-cols-[repeat(auto-fill,minmax(13rem,1fr))] sm:gap-4">
				{list.isPending &&
					Array.from({ length: 8 }, (_, at) => (
						<li key={at}>
							<Skeleton className="aspect-square w-full" />
						</li>
					))}
				{list.rows.map((row) => (
					<Tile key={row.id} row={row} onOpen={() => go({ open: row.id })} />
				))}
			</ul>
			{list.hasNextPage && (
				<Button
					className="justify-self-center"
					busy={list.isFetchingNextPage}
					onClick={() => void list.fetchNextPage()}
				>
					{t("ui.loadMore")}
				</Button>
			)}
			{open && <GenerationDrawer key={open} id={open} onClose={() => go({ open: undefined })} />}
		</Page>
	);
}

function useProgress(row: Generation): number {
	const { jobs } = useLive();
	for (const job of jobs.values()) if (job.generation_id === row.id) return job.progress;
	return row.progress;
}

function Tile({ row, onOpen }: { row: Generation; onOpen: () => void }) {
	const progress = useProgress(row);
	const [isBroken, setBroken] = useState(false);
	const picture = row.results.find(
		(result) => result.content_type?.startsWith("image/") || result.kind === "image" || result.kind === "thumbnail",
	);
	const path = mediaPath(picture?.path);
	const Icon = row.kind === "video" ? Film : ImageIcon;
	return (
		<li className="group overflow-hidden rounded-lg border bg-surface shadow-card">
			<button type="button" onClick={onOpen} className="grid w-full text-left">
				<span className="relative grid aspect-square w-full place-items-center overflow-hidden bg-sunken text-muted">
					{path && !isBroken ? (
						<img
							src={path}
							alt={row.prompt}
							loading="lazy"
							onError={() => setBroken(true)}
							className="size-full object-cover transition-transform duration-300 group-hover:scale-[1.02]"
						/>
					) : (
						<span className="grid justify-items-center gap-2 p-4 text-center text-sm">
							<Icon size={26} aria-hidden />
							{row.error ? row.error.code : word(row.status)}
						</span>
					)}
					{row.kind === "video" && (
						<span className="absolute top-2 left-2">
							<Badge tone="plain">{word("video")}</Badge>
						</span>
					)}
				</span>
				<span className="grid gap-1.5 p-3">
					<span className="line-clamp-2 min-h-[2.6em] leading-snug">{row.prompt}</span>
					<span className="flex justify-between gap-2 text-xs text-muted">
						<Status value={row.status} />
						<span className="truncate">{relative(row.created_at_ms)}</span>
					</span>
					{!isOver(row.status) && <Progress label={t("jobs.progress")} value={progress} />}
				</span>
			</button>
		</li>
	);
}

function GenerationDrawer({ id, onClose }: { id: string; onClose: () => void }) {
	const client = useQueryClient();
	const generation = useQuery({
		queryKey: ["generations", "one", id],
		queryFn: () => api.get<Generation>(`/api/generations/${encodeURIComponent(id)}`),
	});
	const act = (what: "retry" | "cancel") =>
		api
			.post(`/api/generations/${id}/${what}`)
			.then(() => toast(t(what === "retry" ? "jobs.retried" : "jobs.cancelled")))
			.catch(toastError)
			.finally(() => client.invalidateQueries({ queryKey: ["generations"] }));
	const row = generation.data;
	return (
		<Dialog
			side
			title={row ? word(row.kind) : t("generations.one")}
			onClose={onClose}
			footer={
				row && (
					<>
						{has("POST /api/generations/{id}/cancel") && !isOver(row.status) && (
							<Button kind="danger" icon={<Ban size={15} aria-hidden />} onClick={() => void act("cancel")}>
								{t("jobs.cancel")}
							</Button>
						)}
						{has("POST /api/generations/{id}/retry") && (row.status === "failed" || row.status === "cancelled") && (
							<Button kind="primary" icon={<RotateCcw size={15} aria-hidden />} onClick={() => void act("retry")}>
								{t("jobs.retry")}
							</Button>
						)}
					</>
				)
			}
		>
			{generation.error ? <ErrorBox error={generation.error} retry={() => void generation.refetch()} /> : null}
			{generation.isPending && <Loading rows={8} />}
			{row && (
				<div className="grid gap-5">
					{row.error && (
						<div className="rounded-md bg-bad-soft p-3">
							<p className="font-mono text-xs text-bad">{row.error.code}</p>
							<p>{row.error.message}</p>
						</div>
					)}
					{row.results.map((result) => {
						const path = mediaPath(result.path);
						if (!path) return null;
						return (
							<figure key={result.path} className="grid gap-2">
								{result.content_type?.startsWith("video/") ? (
									<video src={path} controls preload="metadata" className="w-full rounded-md border bg-sunken" />
								) : (
									<img src={path} alt={row.prompt} className="w-full rounded-md border bg-sunken" />
								)}
								<figcaption className="flex items-center justify-between gap-2 text-xs text-muted">
									<span className="truncate">
										{result.content_type} · {bytes(result.bytes)}
									</span>
									<a href={path} download className="inline-flex items-center gap-1 text-accent underline">
										<Download size={13} aria-hidden />
										{t("ui.download")}
									</a>
								</figcaption>
							</figure>
						);
					})}
					<section>
						<div className="flex items-center justify-between">
							<h3 className="font-semibold">{t("generations.prompt")}</h3>
							<CopyButton text={row.prompt} />
						</div>
						<p className="whitespace-pre-wrap">{row.prompt}</p>
					</section>
					<Facts
						rows={[
							[t("accounts.status"), <Status key="status" value={row.status} />],
							[t("requests.model"), row.model],
							[t("requests.key"), row.key_name || row.owner],
							[t("jobs.created"), dateTime(row.created_at_ms)],
							[t("jobs.finished"), dateTime(row.completed_at_ms)],
							["ID", <Mono key="id">{row.id}</Mono>],
							[
								t("nav.jobs"),
								<Link key="jobs" to="/manage/jobs" search={{ generation_id: row.id }} className="text-accent underline">
									{t("generations.jobs")}
								</Link>,
							],
						]}
					/>
				</div>
			)}
		</Dialog>
	);
}
