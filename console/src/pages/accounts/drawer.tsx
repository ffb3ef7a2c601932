import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { FlaskConical, Power, Trash2 } from "lucide-react";
import { type FormEvent, useState } from "react";
import { api } from "../../api/client";
import { has } from "../../api/has";
import type { Account, AccountTest, HistoryEntry, List } from "../../api/types";
import { t, word } from "../../i18n";
import { dateTime, duration, number, relative } from "../../lib/format";
import { useNow } from "../../lib/hooks";
import { Badge, CopyButton, Dot, Facts, Mono, Status, toneOf } from "../../ui/bits";
import { Button } from "../../ui/button";
import { Confirm, Dialog } from "../../ui/dialog";
import { TextArea, TextField } from "../../ui/field";
import { ErrorBox, Loading } from "../../ui/states";
import { toast, toastError } from "../../ui/toast";
import { QuotaLine } from "./quota";

/** One account: how it stands, what happened to it, what can be done about it. */
export function AccountDrawer({ id, onClose }: { id: string; onClose: () => void }) {
	const client = useQueryClient();
	const now = useNow(1000);
	const [deleting, setDeleting] = useState(false);
	const account = useQuery({
		queryKey: ["accounts", "one", id],
		queryFn: () => api.get<Account>(`/api/accounts/${id}`),
	});
	const refresh = () => client.invalidateQueries({ queryKey: ["accounts"] });
	const test = useMutation({
		mutationFn: () => api.post<AccountTest>(`/api/accounts/${id}/test`),
		onSuccess: (result) =>
			toast(t("accounts.testSays", { outcome: word(result.outcome) }), {
				detail: result.detail ?? undefined,
				bad: result.outcome === "expired",
			}),
		onError: toastError,
		onSettled: refresh,
	});
	const change = useMutation({
		mutationFn: (body: { tags?: string[]; note?: string; disabled?: boolean }) =>
			api.patch<Account>(`/api/accounts/${id}`, body),
		onSuccess: () => toast(t("ui.saved")),
		onError: toastError,
		onSettled: refresh,
	});
	const remove = useMutation({
		mutationFn: () => api.delete(`/api/accounts/${id}`),
		onSuccess: () => {
			client.removeQueries({ queryKey: ["accounts", "one", id] });
			toast(t("accounts.deleted"));
			onClose();
		},
		onError: toastError,
		onSettled: () =>
			client.invalidateQueries({ queryKey: ["accounts"], predicate: (query) => !query.queryKey.includes(id) }),
	});
	const row = account.data;
	const isDisabled = row?.status === "disabled";
	const save = (event: FormEvent<HTMLFormElement>) => {
		event.preventDefault();
		const data = new FormData(event.currentTarget);
		const tags = String(data.get("tags"))
			.split(/[,\s]+/)
			.filter(Boolean);
		change.mutate({ tags, note: String(data.get("note")) });
	};
	return (
		<Dialog
			side
			title={row ? row.note || row.hint : t("accounts.account")}
			onClose={onClose}
			footer={
				row && (
					<>
						<Button
							kind="danger"
							icon={<Trash2 size={15} aria-hidden />}
							onClick={() => setDeleting(true)}
							className="mr-auto"
						>
							{t("ui.delete")}
						</Button>
						<Button
							icon={<Power size={15} aria-hidden />}
							busy={change.isPending}
							onClick={() => change.mutate({ disabled: !isDisabled })}
						>
							{t(isDisabled ? "accounts.enable" : "accounts.disable")}
						</Button>
						<Button
							kind="primary"
							icon={<FlaskConical size={15} aria-hidden />}
							busy={test.isPending}
							onClick={() => test.mutate()}
						>
							{t("accounts.test")}
						</Button>
					</>
				)
			}
		>
			{account.error ? <ErrorBox error={account.error} retry={() => void account.refetch()} /> : null}
			{account.isPending && <Loading rows={8} />}
			{row && (
				<div className="grid gap-6">
					<Facts
						rows={[
							[
								t("accounts.status"),
								<span key="status" className="flex flex-wrap items-center gap-2">
									<Status value={row.status} />
									{row.standing !== row.status && <Badge tone={toneOf(row.standing)}>{word(row.standing)}</Badge>}
									{row.status_until_ms && row.status_until_ms > now && (
										<span className="text-muted">{relative(row.status_until_ms, now)}</span>
									)}
								</span>,
							],
							...(row.status_reason ? [[t("accounts.reason"), row.status_reason] as [string, string]] : []),
							[t("accounts.type"), word(row.token_type)],
							[
								"ID",
								<span key="id" className="flex items-center gap-1">
									<Mono>{row.id}</Mono>
									<CopyButton text={row.id} />
								</span>,
							],
							[t("accounts.hint"), <Mono key="hint">{row.hint}</Mono>],
							[
								t("accounts.uses"),
								`${number(row.use_count)} · ${t("accounts.failedN", { n: number(row.failed_count) })}`,
							],
							[t("accounts.inFlight"), number(row.in_flight)],
							...(row.last_failure_at_ms
								? [
										[
											t("accounts.lastFailure"),
											`${row.last_failure_reason ?? ""} · ${relative(row.last_failure_at_ms, now)}`,
										] as [string, string],
									]
								: []),
							[t("accounts.added"), dateTime(row.created_at_ms)],
						]}
					/>
					<section className="grid gap-2.5">
						<h3 className="font-semibold">{t("accounts.quota")}</h3>
						{row.budgets.length === 0 && <p className="text-muted">{t("accounts.notReadWhy")}</p>}
						{row.budgets.map((budget) => (
							<QuotaLine key={budget.name} budget={budget} now={now} />
						))}
					</section>
					<form onSubmit={save} key={`${row.note}|${row.tags.join()}`} className="grid gap-3">
						<TextField
							label={t("accounts.tags")}
							name="tags"
							defaultValue={row.tags.join(", ")}
							hint={t("accounts.tagsHint")}
						/>
						<TextArea label={t("accounts.note")} name="note" defaultValue={row.note} maxLength={500} rows={2} />
						<div>
							<Button type="submit" busy={change.isPending}>
								{t("ui.save")}
							</Button>
						</div>
					</form>
					{has("GET /api/accounts/{id}/history") && <History id={id} />}
				</div>
			)}
			{deleting && (
				<Confirm
					title={t("accounts.deleteOne")}
					action={t("ui.delete")}
					danger
					busy={remove.isPending}
					onClose={() => setDeleting(false)}
					onConfirm={() => remove.mutate()}
				>
					<p>{t("accounts.deleteWhy")}</p>
				</Confirm>
			)}
		</Dialog>
	);
}

function History({ id }: { id: string }) {
	const history = useQuery({
		queryKey: ["accounts", "history", id],
		queryFn: () => api.get<List<HistoryEntry>>(`/api/accounts/${id}/history`, { limit: 50 }),
	});
	return (
		<section>
			<h3 className="mb-2 font-semibold">{t("accounts.history")}</h3>
			{history.isPending && <Loading />}
			{history.error ? <ErrorBox error={history.error} /> : null}
			{history.data?.data.length === 0 && <p className="text-muted">{t("accounts.noHistory")}</p>}
			<ol className="grid">
				{history.data?.data.map((entry, at) => (
					<li key={at} className="grid grid-cols-[auto_1fr_auto] items-baseline gap-x-3 border-l pb-3 pl-4 last:pb-0">
						<span className="-ml-[1.3rem] self-center bg-surface">
							<Dot tone={entry.kind === "failure" ? "bad" : toneOf(entry.outcome)} />
						</span>
						<span className="min-w-0">
							<span className="font-medium">{word(entry.kind)}</span>{" "}
							<span className="text-muted">
								{[
									entry.outcome && word(entry.outcome),
									entry.model,
									entry.latency_ms != null && duration(entry.latency_ms),
									entry.detail,
								]
									.filter(Boolean)
									.join(" · ")}
							</span>
						</span>
						<time className="text-xs text-muted" title={dateTime(entry.at_ms)}>
							{relative(entry.at_ms)}
						</time>
					</li>
				))}
			</ol>
		</section>
	);
}
