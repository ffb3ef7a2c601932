import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Check } from "lucide-react";
import { type ReactNode, useState } from "react";
import { api } from "../api/client";
import type { AccountSummary, KeyObject, List, NewKey, RequestRow } from "../api/types";
import { t } from "../i18n";
import { number } from "../lib/format";
import { Code, Dot } from "../ui/bits";
import { Button } from "../ui/button";
import { Page } from "../ui/page";
import { toastError } from "../ui/toast";
import { ImportWizard } from "./accounts/import";
import { Snippets } from "./keys/snippets";

/** From nothing to the first answer. */
export function SetupPage() {
	const client = useQueryClient();
	const [importing, setImporting] = useState(false);
	const [made, setMade] = useState<NewKey | null>(null);
	const [busy, setBusy] = useState(false);
	const [since] = useState(Date.now);
	const summary = useQuery({
		queryKey: ["accounts", "summary"],
		queryFn: () => api.get<AccountSummary>("/api/accounts/summary"),
		refetchInterval: 5000,
	});
	const keys = useQuery({ queryKey: ["keys"], queryFn: () => api.get<List<KeyObject>>("/api/keys") });
	const requests = useQuery({
		queryKey: ["requests", "first"],
		queryFn: () => api.get<List<RequestRow>>("/api/requests", { limit: 1, from_ms: since, outcome: "ok" }),
		refetchInterval: (query) => (query.state.data?.data.length ? false : 2000),
	});
	const total = summary.data?.total ?? 0;
	const first = requests.data?.data[0];
	const hasKey = Boolean(made) || (keys.data?.data.length ?? 0) > 0;
	const makeKey = async () => {
		setBusy(true);
		try {
			setMade(
				await api.post<NewKey>("/api/keys", { name: `${t("setup.keyName")} ${new Date().toISOString().slice(0, 16)}` }),
			);
			void client.invalidateQueries({ queryKey: ["keys"] });
		} catch (error) {
			toastError(error);
		} finally {
			setBusy(false);
		}
	};
	return (
		<Page title={t("setup.title")} about={t("setup.about")}>
			<ol className="grid max-w-3xl gap-4">
				<Step n={1} done title={t("setup.password")}>
					<p className="text-muted">
						{t("setup.passwordDone")}{" "}
						<Link to="/manage/profile" className="text-accent underline">
							{t("setup.change")}
						</Link>
					</p>
				</Step>
				<Step n={2} done={total > 0} title={t("setup.accounts")}>
					<p className="mb-3 text-muted">
						{total > 0 ? t("setup.hasAccounts", { n: number(total) }) : t("setup.accountsWhy")}
					</p>
					<Button kind={total > 0 ? "plain" : "primary"} onClick={() => setImporting(true)}>
						{t("accounts.import")}
					</Button>
					{total === 0 && (
						<div className="mt-4 grid gap-2">
							<p className="text-muted">{t("setup.simulator")}</p>
							<Code text="grok2api demo" />
						</div>
					)}
				</Step>
				<Step n={3} done={hasKey} title={t("setup.key")}>
					<p className="mb-3 text-muted">{made ? t("keys.once") : t("setup.keyWhy")}</p>
					{made ? (
						<Code text={made.key} label={t("keys.key")} />
					) : (
						<Button kind={hasKey ? "plain" : "primary"} busy={busy} onClick={() => void makeKey()}>
							{t("keys.make")}
						</Button>
					)}
				</Step>
				<Step n={4} done={Boolean(first)} title={t("setup.first")}>
					<Snippets apiKey={made?.key ?? "YOUR_KEY"} />
					<p role="status" className="mt-3 flex items-center gap-2 font-medium">
						<Dot tone={first ? "ok" : "plain"} pulse={!first} />
						{first ? t("setup.arrived", { model: first.model ?? "", status: first.status }) : t("setup.waiting")}
					</p>
				</Step>
			</ol>
			{importing && (
				<ImportWizard
					onClose={() => {
						setImporting(false);
						void client.invalidateQueries({ queryKey: ["accounts"] });
					}}
				/>
			)}
		</Page>
	);
}

function Step({ n, done, title, children }: { n: number; done?: boolean; title: string; children: ReactNode }) {
	return (
		<li className="grid grid-cols-[auto_1fr] gap-x-4 rounded-lg border bg-surface p-5 shadow-card">
			<span
				className={`grid size-7 place-items-center rounded-full text-sm font-semibold ${done ? "bg-ok-soft text-ok" : "bg-accent-soft text-accent"}`}
			>
				{done ? <Check size={15} aria-label={t("setup.done")} /> : n}
			</span>
			<div className="min-w-0">
				<h2 className="mb-1.5 text-lg font-semibold">{title}</h2>
				{children}
			</div>
		</li>
	);
}
