import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { KeyRound, Plus } from "lucide-react";
import { useState } from "react";
import { api } from "../api/client";
import { has } from "../api/has";
import type { KeyObject, List, NewKey } from "../api/types";
import { t, word } from "../i18n";
import { compact, number, relative } from "../lib/format";
import { Progress, Status } from "../ui/bits";
import { Button } from "../ui/button";
import { Page } from "../ui/page";
import { Empty, ErrorBox } from "../ui/states";
import { type Column, RowTable } from "../ui/table";
import { KeyDrawer } from "./keys/drawer";
import { Reveal } from "./keys/reveal";

const route = getRouteApi("/manage/keys");

const limited = ["rate", "tokens", "running", "budget", "used"];

export function KeysPage() {
	const { open } = route.useSearch();
	const navigate = route.useNavigate();
	const client = useQueryClient();
	const [made, setMade] = useState<NewKey | null>(null);
	const keys = useQuery({
		queryKey: ["keys"],
		queryFn: () => api.get<List<KeyObject>>("/api/keys"),
		refetchInterval: 15_000,
	});
	const go = (id?: string) => void navigate({ search: id ? { open: id } : {}, replace: true });
	const rows = keys.data?.data ?? [];
	const chosen = rows.find((row) => row.id === open);
	const columns: Column<KeyObject>[] = [
		{
			key: "name",
			title: t("keys.name"),
			width: "minmax(10rem,1.3fr)",
			cell: (row) => (
				<span className="grid leading-tight">
					<span className="truncate font-medium">{row.name}</span>
					<span className="truncate font-mono text-2xs text-muted">{row.hint}</span>
				</span>
			),
		},
		{ key: "status", title: t("accounts.status"), width: "7.5rem", cell: (row) => <Status value={row.status} /> },
		{
			key: "rate",
			title: t("keys.rate"),
			width: "8rem",
			right: true,
			cell: (row) =>
				`${number(row.usage?.requests_last_minute ?? 0)} / ${row.requests_per_minute ? number(row.requests_per_minute) : "∞"}`,
		},
		{
			key: "tokens",
			title: t("keys.tokensRate"),
			width: "9rem",
			right: true,
			cell: (row) =>
				`${compact(row.usage?.tokens_last_minute ?? 0)} / ${row.tokens_per_minute ? compact(row.tokens_per_minute) : "∞"}`,
		},
		{
			key: "running",
			title: word("running"),
			width: "6rem",
			right: true,
			cell: (row) => `${number(row.usage?.running ?? 0)} / ${row.max_concurrent ? number(row.max_concurrent) : "∞"}`,
		},
		{
			key: "models",
			title: t("keys.models"),
			width: "minmax(8rem,1fr)",
			cell: (row) => <span className="text-muted">{row.models?.join(", ") || t("keys.allModels")}</span>,
		},
		{
			key: "expires",
			title: t("keys.expires"),
			width: "9rem",
			right: true,
			cell: (row) => (row.expires_at_ms ? relative(row.expires_at_ms) : t("keys.never")),
		},
		{
			key: "budget",
			title: t("keys.budget"),
			width: "minmax(9rem,1fr)",
			cell: (row) =>
				row.budget_units ? (
					<span className="grid gap-1">
						<span className="text-2xs text-muted">
							{compact(row.usage?.budget_used ?? 0)} / {compact(row.budget_units)} ·{" "}
							{word(row.budget_period ?? "total")}
						</span>
						<Progress
							label={t("keys.budget")}
							value={((row.usage?.budget_used ?? 0) / row.budget_units) * 100}
							tone={(row.usage?.budget_left ?? 1) <= 0 ? "bad" : "accent"}
						/>
					</span>
				) : (
					<span className="text-muted">{t("keys.noBudget")}</span>
				),
		},
		{
			key: "used",
			title: t("accounts.lastUsed"),
			width: "8rem",
			right: true,
			cell: (row) => relative(row.usage?.last_used_at_ms),
		},
	];
	const shownColumns = has("KeyTerms.requests_per_minute")
		? columns
		: columns.filter((column) => !limited.includes(column.key));
	return (
		<Page
			title={t("nav.keys")}
			about={t("keys.about")}
			actions={
				<Button kind="primary" icon={<Plus size={15} aria-hidden />} onClick={() => go("new")}>
					{t("keys.new")}
				</Button>
			}
		>
			{keys.error ? (
				<ErrorBox error={keys.error} retry={() => void keys.refetch()} />
			) : (
				<RowTable
					label={t("nav.keys")}
					columns={shownColumns}
					rows={rows}
					id={(row) => row.id}
					loading={keys.isPending}
					onOpen={(row) => go(row.id)}
					minWidth={900}
					rowHeight={48}
					empty={
						<Empty
							icon={<KeyRound size={20} aria-hidden />}
							title={t("keys.none")}
							action={<Button onClick={() => go("new")}>{t("keys.new")}</Button>}
						>
							{t("keys.noneWhy")}
						</Empty>
					}
				/>
			)}
			{(open === "new" || chosen) && (
				<KeyDrawer
					key={open}
					row={chosen}
					onClose={() => go()}
					onMade={(key) => {
						go();
						setMade(key);
						void client.invalidateQueries({ queryKey: ["keys"] });
					}}
				/>
			)}
			{made && <Reveal made={made} onClose={() => setMade(null)} />}
		</Page>
	);
}
