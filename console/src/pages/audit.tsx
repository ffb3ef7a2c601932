import { useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { FileClock } from "lucide-react";
import { useState } from "react";
import { api } from "../api/client";
import type { AuditEntry } from "../api/types";
import { t } from "../i18n";
import { dateTime } from "../lib/format";
import { Code, Facts, Mono } from "../ui/bits";
import { Dialog } from "../ui/dialog";
import { Filters } from "../ui/filters";
import { Page } from "../ui/page";
import { Empty, ErrorBox } from "../ui/states";
import { type Column, RowTable } from "../ui/table";

const route = getRouteApi("/manage/audit");

export function AuditPage() {
	const search = route.useSearch();
	const navigate = route.useNavigate();
	const [open, setOpen] = useState<AuditEntry | null>(null);
	const list = useInfiniteQuery({
		queryKey: ["audit", search],
		queryFn: ({ pageParam }) =>
			api.get<{ data: AuditEntry[]; has_more: boolean }>("/api/audit", { ...search, limit: 100, before: pageParam }),
		initialPageParam: undefined as string | undefined,
		getNextPageParam: (page) => (page.has_more ? page.data.at(-1)?.id : undefined),
	});
	const rows = list.data?.pages.flatMap((page) => page.data) ?? [];
	const columns: Column<AuditEntry>[] = [
		{ key: "at", title: t("ui.time"), width: "12rem", cell: (row) => dateTime(row.at_ms) },
		{
			key: "actor",
			title: t("audit.actor"),
			width: "9rem",
			cell: (row) => <span className="font-medium">{row.actor}</span>,
		},
		{ key: "action", title: t("audit.action"), width: "minmax(10rem,1fr)", cell: (row) => <Mono>{row.action}</Mono> },
		{
			key: "target",
			title: t("audit.target"),
			width: "minmax(10rem,1fr)",
			cell: (row) => <Mono>{row.target || "–"}</Mono>,
		},
		{ key: "ip", title: "IP", width: "9rem", cell: (row) => <Mono>{row.ip || "–"}</Mono> },
	];
	return (
		<Page title={t("nav.audit")} about={t("audit.about")}>
			<Filters
				search={{ name: "action", label: t("audit.action") }}
				choices={[]}
				texts={[{ name: "actor", label: t("audit.actor") }]}
				value={search}
				onChange={(value) => void navigate({ search: value, replace: true })}
			/>
			{list.error ? (
				<ErrorBox error={list.error} retry={() => void list.refetch()} />
			) : (
				<RowTable
					label={t("nav.audit")}
					columns={columns}
					rows={rows}
					id={(row) => row.id}
					loading={list.isPending}
					loadingMore={list.isFetchingNextPage}
					more={() => list.hasNextPage && !list.isFetchingNextPage && void list.fetchNextPage()}
					onOpen={setOpen}
					minWidth={820}
					empty={
						<Empty icon={<FileClock size={20} aria-hidden />} title={t("audit.none")}>
							{t("audit.noneWhy")}
						</Empty>
					}
				/>
			)}
			{open && (
				<Dialog side title={open.action} onClose={() => setOpen(null)}>
					<div className="grid gap-5">
						<Facts
							rows={[
								[t("ui.time"), dateTime(open.at_ms)],
								[t("audit.actor"), open.actor],
								[t("audit.target"), open.target || "–"],
								["IP", open.ip || "–"],
							]}
						/>
						{open.detail && <Code text={JSON.stringify(open.detail, null, 2)} label={t("audit.detail")} />}
					</div>
				</Dialog>
			)}
		</Page>
	);
}
