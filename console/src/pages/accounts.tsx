import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { Download, Upload, UsersRound } from "lucide-react";
import { useState } from "react";
import { api } from "../api/client";
import { has } from "../api/has";
import type { Account } from "../api/types";
import { t, word } from "../i18n";
import { number, relative } from "../lib/format";
import { useCursorList, useNow } from "../lib/hooks";
import { Badge, Status } from "../ui/bits";
import { Button } from "../ui/button";
import { Filters } from "../ui/filters";
import { Page } from "../ui/page";
import { Empty, ErrorBox } from "../ui/states";
import { type Column, RowTable } from "../ui/table";
import { BulkBar } from "./accounts/bulk-bar";
import { AccountDrawer } from "./accounts/drawer";
import { ExportDialog } from "./accounts/export";
import { ImportWizard } from "./accounts/import";
import { Quota } from "./accounts/quota";

const route = getRouteApi("/manage/accounts");
const options = (values: string[]) => values.map((value) => ({ value, label: word(value) }));

export function AccountsPage() {
	const search = route.useSearch();
	const navigate = route.useNavigate();
	const client = useQueryClient();
	const [selected, setSelected] = useState<Set<string>>(new Set());
	const [allMatching, setAllMatching] = useState(false);
	const [exporting, setExporting] = useState(false);
	const now = useNow(1000);
	const { open, import: importing, sort = "created", order = "desc", ...filter } = search;
	const list = useCursorList<Account>("accounts", "/api/accounts", { ...filter, sort, order }, 200);
	const labels = useQuery({
		queryKey: ["accounts", "labels"],
		queryFn: () => api.get<{ data: string[] }>("/api/tokens/tags/all").then((answer) => answer.data),
		staleTime: 60_000,
	});
	const go = (change: Partial<typeof search>) =>
		void navigate({ search: (now) => ({ ...now, ...change }), replace: true });
	const isFiltered = Object.values(filter).some(Boolean);

	const columns: Column<Account>[] = [
		{
			key: "account",
			title: t("accounts.account"),
			width: "minmax(10rem,1.4fr)",
			sort: "created",
			cell: (row) => (
				<span className="grid leading-tight">
					<span className="truncate font-medium">{row.note || row.hint}</span>
					<span className="truncate font-mono text-2xs text-muted">{row.note ? row.hint : row.id}</span>
				</span>
			),
		},
		{
			key: "status",
			title: t("accounts.status"),
			width: "6.75rem",
			cell: (row) => <Status value={row.status === "active" ? row.standing : row.status} />,
		},
		{
			key: "quota",
			title: t("accounts.quota"),
			width: "minmax(10rem,1.2fr)",
			cell: (row) => <Quota budgets={row.budgets} now={now} />,
		},
		{
			key: "tags",
			title: t("accounts.tags"),
			width: "minmax(6rem,1fr)",
			cell: (row) => (
				<span className="flex gap-1 overflow-hidden">
					{row.token_type === "ssoSuper" && <Badge tone="accent">Super</Badge>}
					{row.tags.map((tag) => (
						<Badge key={tag}>{tag}</Badge>
					))}
				</span>
			),
		},
		{
			key: "uses",
			title: t("accounts.uses"),
			width: "4.5rem",
			right: true,
			sort: "use_count",
			cell: (row) => number(row.use_count),
		},
		{
			key: "failed",
			title: t("accounts.failed"),
			width: "4.5rem",
			right: true,
			sort: "failed_count",
			cell: (row) => (
				<span className={row.failed_count > 0 ? "text-bad" : "text-muted"}>{number(row.failed_count)}</span>
			),
		},
		{
			key: "used",
			title: t("accounts.lastUsed"),
			width: "6.75rem",
			right: true,
			cell: (row) => <span className="text-muted">{relative(row.last_used_at_ms, now)}</span>,
		},
		{
			key: "tested",
			title: t("accounts.tested"),
			width: "6.75rem",
			right: true,
			cell: (row) => <span className="text-muted">{relative(row.tested_at_ms, now)}</span>,
		},
	];

	return (
		<Page
			title={t("nav.accounts")}
			about={
				list.total === undefined
					? undefined
					: t(isFiltered ? "accounts.matching" : "accounts.total", { n: number(list.total) })
			}
			actions={
				<>
					<Button kind="primary" icon={<Upload size={15} aria-hidden />} onClick={() => go({ import: "1" })}>
						{t("accounts.import")}
					</Button>
					{has("POST /api/accounts/export") && (
						<Button icon={<Download size={15} aria-hidden />} onClick={() => setExporting(true)}>
							{t("accounts.export")}
						</Button>
					)}
				</>
			}
		>
			<Filters
				search={{ name: "search", label: t("accounts.search") }}
				choices={[
					{
						name: "status",
						label: t("accounts.status"),
						options: options(["active", "cooling", "expired", "disabled"]),
					},
					{
						name: "standing",
						label: t("accounts.standing"),
						options: options(["unused", "active", "limited", "invalid"]),
					},
					{ name: "token_type", label: t("accounts.type"), options: options(["sso", "ssoSuper"]) },
					{
						name: "tag",
						label: t("accounts.tag"),
						options: (labels.data ?? []).slice(0, 200).map((tag) => ({ value: tag, label: tag })),
					},
				]}
				value={filter}
				onChange={(value) => {
					setSelected(new Set());
					setAllMatching(false);
					go(value);
				}}
			/>
			{selected.size > 0 && (
				<BulkBar
					ids={[...selected]}
					filter={filter}
					total={list.total ?? 0}
					all={allMatching}
					onAll={setAllMatching}
					onClear={() => {
						setSelected(new Set());
						setAllMatching(false);
					}}
				/>
			)}
			{list.error ? (
				<ErrorBox error={list.error} retry={() => void list.refetch()} />
			) : (
				<RowTable
					label={t("nav.accounts")}
					columns={columns}
					rows={list.rows}
					total={list.total}
					id={(row) => row.id}
					loading={list.isPending}
					loadingMore={list.isFetchingNextPage}
					more={() => list.hasNextPage && !list.isFetchingNextPage && void list.fetchNextPage()}
					sort={sort}
					order={order as "asc" | "desc"}
					onSort={(sort, order) => go({ sort, order })}
					selected={selected}
					onSelect={(ids) => {
						setSelected(ids);
						setAllMatching(false);
					}}
					onOpen={(row) => go({ open: row.id })}
					minWidth={960}
					rowHeight={48}
					empty={
						isFiltered ? (
							<Empty icon={<UsersRound size={20} aria-hidden />} title={t("accounts.noMatch")}>
								{t("accounts.noMatchWhy")}
							</Empty>
						) : (
							<Empty
								icon={<UsersRound size={20} aria-hidden />}
								title={t("accounts.none")}
								action={
									<Button kind="primary" onClick={() => go({ import: "1" })}>
										{t("accounts.import")}
									</Button>
								}
							>
								{t("accounts.noneWhy")}
							</Empty>
						)
					}
				/>
			)}
			{open && <AccountDrawer key={open} id={open} onClose={() => go({ open: undefined })} />}
			{importing && (
				<ImportWizard
					onClose={() => {
						go({ import: undefined });
						void client.invalidateQueries({ queryKey: ["accounts"] });
					}}
				/>
			)}
			{exporting && <ExportDialog filter={filter} onClose={() => setExporting(false)} />}
		</Page>
	);
}
