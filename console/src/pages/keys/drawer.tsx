import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useState } from "react";
import { ApiError, api } from "../../api/client";
import { has } from "../../api/has";
import type { KeyObject, KeyTerms, NewKey } from "../../api/types";
import { t, word } from "../../i18n";
import { dateTime, number, relative } from "../../lib/format";
import { Facts, Mono } from "../../ui/bits";
import { Button } from "../../ui/button";
import { Confirm, Dialog } from "../../ui/dialog";
import { CheckField, SelectField, TextArea, TextField } from "../../ui/field";
import { ErrorBox } from "../../ui/states";
import { toast, toastError } from "../../ui/toast";

const limits = [
	["requests_per_minute", 1_000_000],
	["tokens_per_minute", 1_000_000_000],
	["max_concurrent", 100_000],
	["budget_units", 1_000_000_000_000],
] as const;
const hasLimits = has("KeyTerms.requests_per_minute");

const localTime = (ms: number | null | undefined) =>
	ms ? new Date(ms - new Date(ms).getTimezoneOffset() * 60_000).toISOString().slice(0, 16) : "";

type Props = { row?: KeyObject; onClose: () => void; onMade: (key: NewKey) => void };

/** The terms of a key: a new one's, or one to change. */
export function KeyDrawer({ row, onClose, onMade }: Props) {
	const client = useQueryClient();
	const [error, setError] = useState<unknown>(null);
	const [busy, setBusy] = useState(false);
	const [asked, setAsked] = useState<"delete" | "rotate" | null>(null);
	const [period, setPeriod] = useState(row?.budget_period ?? "total");
	const refresh = () => client.invalidateQueries({ queryKey: ["keys"] });
	const submit = async (event: FormEvent<HTMLFormElement>) => {
		event.preventDefault();
		const data = new FormData(event.currentTarget);
		const text = (name: string) => String(data.get(name) ?? "").trim();
		const models = text("models")
			.split(/[,\s]+/)
			.filter(Boolean);
		const terms: Record<string, unknown> = { name: text("name"), disabled: data.get("disabled") === "on" };
		if (models.length > 0) terms.models = models;
		if (text("expires")) terms.expires_at_ms = new Date(text("expires")).getTime();
		for (const [name] of limits) if (text(name)) terms[name] = Number(text(name));
		if (text("budget_units")) terms.budget_period = period;
		if (text("note")) terms.note = text("note");
		setBusy(true);
		setError(null);
		try {
			if (row) {
				await api.put<KeyObject>(`/api/keys/${row.id}`, terms as KeyTerms);
				toast(t("ui.saved"));
				await refresh();
				onClose();
			} else onMade(await api.post<NewKey>("/api/keys", terms as KeyTerms));
		} catch (failed) {
			setError(failed);
		} finally {
			setBusy(false);
		}
	};
	const act = async (what: () => Promise<unknown>, done: string) => {
		setBusy(true);
		try {
			await what();
			toast(done);
			setAsked(null);
		} catch (failed) {
			toastError(failed);
		} finally {
			setBusy(false);
			void refresh();
		}
	};
	const wrong = (name: string) => (error instanceof ApiError && error.param === name ? error.message : null);
	return (
		<Dialog
			side
			title={row ? row.name : t("keys.new")}
			onClose={onClose}
			footer={
				<>
					{row && (
						<Button kind="danger" className="mr-auto" onClick={() => setAsked("delete")}>
							{t("ui.delete")}
						</Button>
					)}
					{row && has("POST /api/keys/{id}/rotate") && (
						<Button onClick={() => setAsked("rotate")}>{t("keys.rotate")}</Button>
					)}
					<Button type="submit" form="key-terms" kind="primary" busy={busy}>
						{t(row ? "ui.save" : "keys.make")}
					</Button>
				</>
			}
		>
			<div className="grid gap-6">
				{error ? <ErrorBox error={error} /> : null}
				{row && (
					<Facts
						rows={[
							[t("keys.key"), <Mono key="hint">{row.hint}</Mono>],
							[t("keys.owner"), <Mono key="owner">{row.owner}</Mono>],
							[t("jobs.created"), dateTime(row.created_at_ms)],
							[t("accounts.lastUsed"), relative(row.usage?.last_used_at_ms)],
							...(row.budget_units
								? [
										[
											t("keys.budgetUsed"),
											<span key="budget" className="flex items-center gap-3">
												{number(row.usage?.budget_used ?? 0)} / {number(row.budget_units)}
												<Button
													size="sm"
													onClick={() =>
														void act(() => api.post(`/api/keys/${row.id}/reset-budget`), t("keys.budgetReset"))
													}
												>
													{t("keys.resetBudget")}
												</Button>
											</span>,
										] as [string, ReactNode],
									]
								: []),
						]}
					/>
				)}
				<form id="key-terms" onSubmit={submit} className="grid gap-4">
					<TextField
						label={t("keys.name")}
						name="name"
						defaultValue={row?.name}
						required
						maxLength={64}
						error={wrong("name")}
						autoFocus={!row}
					/>
					<TextField
						label={t("keys.models")}
						name="models"
						defaultValue={row?.models?.join(", ")}
						placeholder={t("keys.allModels")}
						hint={t("keys.modelsHint")}
						error={wrong("models")}
					/>
					<div className="grid gap-4 sm:grid-cols-2">
						{hasLimits &&
							limits.map(([name, most]) => (
								<TextField
									key={name}
									label={t(`keys.${name}`)}
									name={name}
									type="number"
									min={1}
									max={most}
									defaultValue={row?.[name] ?? ""}
									placeholder="∞"
									error={wrong(name)}
								/>
							))}
						{hasLimits && (
							<SelectField
								label={t("keys.budget_period")}
								value={period}
								onChange={(event) => setPeriod(event.target.value)}
								options={["total", "day", "month"].map((value) => ({ value, label: word(value) }))}
							/>
						)}
						<TextField
							label={t("keys.expires")}
							name="expires"
							type="datetime-local"
							defaultValue={localTime(row?.expires_at_ms)}
							error={wrong("expires_at_ms")}
						/>
					</div>
					{hasLimits && <p className="text-xs text-muted">{t("keys.limitsHint")}</p>}
					{has("KeyTerms.note") && (
						<TextArea label={t("accounts.note")} name="note" maxLength={500} rows={2} defaultValue={row?.note ?? ""} />
					)}
					<CheckField label={t("keys.disabled")} name="disabled" defaultChecked={row?.status === "disabled"} />
				</form>
			</div>
			{asked === "delete" && row && (
				<Confirm
					title={t("keys.askDelete")}
					action={t("ui.delete")}
					danger
					typed={row.name}
					busy={busy}
					onClose={() => setAsked(null)}
					onConfirm={() => void act(() => api.delete(`/api/keys/${row.id}`).then(onClose), t("keys.deleted"))}
				>
					<p>{t("keys.whyDelete")}</p>
				</Confirm>
			)}
			{asked === "rotate" && row && (
				<Confirm
					title={t("keys.rotate")}
					action={t("keys.rotate")}
					busy={busy}
					onClose={() => setAsked(null)}
					onConfirm={() =>
						void act(() => api.post<NewKey>(`/api/keys/${row.id}/rotate`).then(onMade), t("keys.rotated"))
					}
				>
					<p>{t("keys.whyRotate")}</p>
				</Confirm>
			)}
		</Dialog>
	);
}
