import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { RotateCcw } from "lucide-react";
import { useId, useState } from "react";
import { ApiError } from "../api/client";
import type { Setting } from "../api/types";
import { t, word } from "../i18n";
import { readSettings, writeSettings } from "../lib/settings";
import { Badge, Card, Mono } from "../ui/bits";
import { Button, IconButton } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { Filters } from "../ui/filters";
import { Page } from "../ui/page";
import { Empty, ErrorBox, Loading } from "../ui/states";
import { toast } from "../ui/toast";

const route = getRouteApi("/manage/settings");
const MASK = "********";
const shown = (value: unknown): string =>
	value === null || value === undefined || value === ""
		? ""
		: Array.isArray(value)
			? value.join("\n")
			: typeof value === "object"
				? JSON.stringify(value, null, 2)
				: String(value);

/** What was typed, as the value that the setting takes; an exception says why it cannot be. */
export function parse(kind: string, text: string): unknown {
	if (kind === "flag") return text === "true";
	if (kind === "whole") {
		if (!/^-?\d+$/.test(text.trim())) throw new Error(t("settings.notWhole"));
		return Number(text);
	}
	if (kind === "list")
		return text
			.split(/[\n,]+/)
			.map((part) => part.trim())
			.filter(Boolean);
	if (kind === "map") return JSON.parse(text || "{}");
	return text;
}

export function SettingsPage() {
	const { search = "" } = route.useSearch();
	const navigate = route.useNavigate();
	const client = useQueryClient();
	const [edits, setEdits] = useState<Record<string, string | null>>({});
	const [reviewing, setReviewing] = useState(false);
	const [error, setError] = useState<unknown>(null);
	const [busy, setBusy] = useState(false);
	const settings = useQuery({ queryKey: ["settings"], queryFn: readSettings });
	const rows = settings.data?.data ?? [];
	const wanted = search.toLowerCase();
	const visible = rows.filter((row) => `${row.key} ${row.doc} ${row.section}`.toLowerCase().includes(wanted));
	const sections = [...new Set(visible.map((row) => row.section))];
	const byKey = new Map(rows.map((row) => [row.key, row]));
	const wrong: Record<string, string> = {};
	const changes: Record<string, unknown> = {};
	for (const [key, text] of Object.entries(edits)) {
		const row = byKey.get(key);
		if (!row) continue;
		try {
			changes[key] = text === null ? null : parse(row.kind, text);
		} catch (failed) {
			wrong[key] = failed instanceof Error ? failed.message : String(failed);
		}
	}
	if (error instanceof ApiError && error.param) wrong[error.param] = error.message;
	const count = Object.keys(edits).length;
	const edit = (row: Setting, text: string | null | undefined) => {
		const { [row.key]: _gone, ...rest } = edits;
		setError(null);
		setEdits(text === undefined || text === shown(row.value) ? rest : { ...edits, [row.key]: text });
	};
	const save = async () => {
		setBusy(true);
		setError(null);
		try {
			const next = await writeSettings(settings.data?.version ?? 0, changes);
			client.setQueryData(["settings"], next);
			setEdits({});
			setReviewing(false);
			toast(t("settings.done"));
		} catch (failed) {
			setError(failed);
			if (failed instanceof ApiError && failed.status === 409) void settings.refetch();
			if (failed instanceof ApiError && failed.param) setReviewing(false);
		} finally {
			setBusy(false);
		}
	};
	return (
		<Page
			title={t("nav.settings")}
			about={t("settings.about")}
			actions={
				count > 0 && (
					<>
						<Button onClick={() => setEdits({})}>{t("settings.discard")}</Button>
						<Button
							kind="primary"
							disabled={Object.keys(wrong).length > 0 && !(error instanceof ApiError)}
							onClick={() => setReviewing(true)}
						>
							{t("settings.review", { n: count })}
						</Button>
					</>
				)
			}
		>
			<Filters
				search={{ name: "search", label: t("settings.search") }}
				choices={[]}
				value={{ search }}
				onChange={(value) => void navigate({ search: value, replace: true })}
			/>
			{settings.error ? <ErrorBox error={settings.error} retry={() => void settings.refetch()} /> : null}
			{error && !reviewing ? <ErrorBox error={error} /> : null}
			{settings.isPending && (
				<Card>
					<Loading rows={10} />
				</Card>
			)}
			{settings.data && visible.length === 0 && <Empty title={t("settings.none")} />}
			{sections.map((section) => (
				<Card key={section} title={word(section)} flush>
					<div className="divide-y">
						{visible
							.filter((row) => row.section === section)
							.map((row) => (
								<Row
									key={row.key}
									row={row}
									text={edits[row.key]}
									error={wrong[row.key]}
									onEdit={(text) => edit(row, text)}
								/>
							))}
					</div>
				</Card>
			))}
			{reviewing && (
				<Dialog
					wide
					title={t("settings.diff")}
					onClose={() => setReviewing(false)}
					footer={
						<>
							<Button onClick={() => setReviewing(false)}>{t("ui.back")}</Button>
							<Button kind="primary" busy={busy} onClick={() => void save()}>
								{t("settings.save")}
							</Button>
						</>
					}
				>
					<div className="grid gap-3">
						{error ? <ErrorBox error={error} /> : null}
						{Object.entries(edits).map(([key, text]) => {
							const row = byKey.get(key);
							if (!row) return null;
							return (
								<div key={key} className="grid gap-1 rounded-md border p-3">
									<Mono>{key}</Mono>
									<p className="font-mono text-xs text-bad">
										<span aria-hidden>− </span>
										<span className="sr-only">{t("settings.before")} </span>
										{shown(row.value) || t("settings.empty")}
									</p>
									<p className="font-mono text-xs text-ok">
										<span aria-hidden>+ </span>
										<span className="sr-only">{t("settings.after")} </span>
										{text === null
											? `${shown(row.default) || t("settings.empty")} (${t("settings.default")})`
											: row.secret
												? MASK
												: text || t("settings.empty")}
									</p>
								</div>
							);
						})}
					</div>
				</Dialog>
			)}
		</Page>
	);
}

function Row({
	row,
	text,
	error,
	onEdit,
}: {
	row: Setting;
	text: string | null | undefined;
	error?: string;
	onEdit: (text: string | null | undefined) => void;
}) {
	const id = useId();
	const value = text === undefined ? shown(row.value) : text === null ? shown(row.default) : text;
	const isChanged = text !== undefined;
	const isFixed = row.source === "environment";
	const shared = {
		id,
		disabled: isFixed,
		"aria-describedby": `${id}-doc`,
		"aria-invalid": error ? true : undefined,
	} as const;
	return (
		<div
			className={`grid gap-x-8 gap-y-2 px-4 py-3 md:grid-cols-[1fr_minmax(16rem,26rem)] ${isChanged ? "bg-accent-soft/60" : ""}`}
		>
			<div className="min-w-0">
				<label htmlFor={id} className="font-mono text-sm font-medium">
					{row.key}
				</label>
				<p id={`${id}-doc`} className="text-sm text-muted">
					{row.doc}
				</p>
			</div>
			<div className="grid content-start gap-1.5">
				<div className="flex items-start gap-1.5">
					{row.kind === "flag" ? (
						<select
							{...shared}
							className="field"
							value={value || "false"}
							onChange={(event) => onEdit(event.target.value)}
						>
							<option value="true">{t("settings.on")}</option>
							<option value="false">{t("settings.off")}</option>
						</select>
					) : row.choices && row.choices.length > 0 ? (
						<select {...shared} className="field" value={value} onChange={(event) => onEdit(event.target.value)}>
							{!row.choices.includes(value) && <option value={value}>{value || t("settings.empty")}</option>}
							{row.choices.map((choice) => (
								<option key={choice} value={choice}>
									{choice}
								</option>
							))}
						</select>
					) : row.kind === "list" || row.kind === "map" ? (
						<textarea
							{...shared}
							rows={Math.min(6, Math.max(2, value.split("\n").length))}
							className="field h-auto! py-1.5! font-mono text-xs!"
							value={value}
							onChange={(event) => onEdit(event.target.value)}
						/>
					) : (
						<input
							{...shared}
							type={row.secret ? "password" : "text"}
							inputMode={row.kind === "whole" ? "numeric" : undefined}
							autoComplete="off"
							className="field"
							placeholder={t("settings.empty")}
							value={value}
							onFocus={(event) => row.secret && event.target.select()}
							onChange={(event) => onEdit(event.target.value)}
						/>
					)}
					{row.source !== "unknown" && (
						<IconButton
							label={t("settings.toDefault", { key: row.key })}
							disabled={isFixed || (row.source === "default" && !isChanged)}
							onClick={() => onEdit(row.source === "default" ? undefined : null)}
						>
							<RotateCcw size={14} aria-hidden />
						</IconButton>
					)}
				</div>
				{error && (
					<p role="alert" className="text-xs text-bad">
						{error}
					</p>
				)}
				{row.source !== "unknown" && (
					<p className="flex flex-wrap items-center gap-2 text-xs text-muted">
						<Badge tone={row.source === "default" ? "plain" : isFixed ? "warn" : "accent"}>
							{word(`source_${row.source}`)}
						</Badge>
						<span className="truncate">
							{t("settings.defaultIs")} {row.secret ? "–" : shown(row.default).slice(0, 80) || t("settings.empty")}
						</span>
					</p>
				)}
			</div>
		</div>
	);
}
