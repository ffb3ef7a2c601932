import { useQuery, useQueryClient } from "@tanstack/react-query";
import { FileUp } from "lucide-react";
import { type DragEvent, useRef, useState } from "react";
import { api } from "../../api/client";
import { has } from "../../api/has";
import type { Bulk, ImportPreview } from "../../api/types";
import { t, word } from "../../i18n";
import { number } from "../../lib/format";
import { useLive } from "../../lib/live";
import { Badge, Mono, Progress } from "../../ui/bits";
import { Button } from "../../ui/button";
import { Dialog } from "../../ui/dialog";
import { SelectField, TextArea, TextField } from "../../ui/field";
import { ErrorBox } from "../../ui/states";
import { previewList, tokensOf } from "./token-list";

/** Paste or drop; see what would happen; do it. The work goes on when the window is closed. */
export function ImportWizard({ onClose }: { onClose: () => void }) {
	const client = useQueryClient();
	const file = useRef<HTMLInputElement>(null);
	const [text, setText] = useState("");
	const [type, setType] = useState("sso");
	const [tags, setTags] = useState("");
	const [preview, setPreview] = useState<ImportPreview | null>(null);
	const [bulk, setBulk] = useState<Bulk | null>(null);
	const [error, setError] = useState<unknown>(null);
	const [busy, setBusy] = useState(false);
	const attempt = async (act: () => Promise<void>) => {
		setBusy(true);
		setError(null);
		try {
			await act();
		} catch (failed) {
			setError(failed);
		} finally {
			setBusy(false);
		}
	};
	const look = () =>
		attempt(async () =>
			setPreview(
				has("POST /api/accounts/preview")
					? await api.post<ImportPreview>("/api/accounts/preview", { text, token_type: type })
					: previewList(text, type),
			),
		);
	const start = () =>
		attempt(async () => {
			const names = tags.split(/[,\s]+/).filter(Boolean);
			setBulk(
				await api.post<Bulk>("/api/bulk/import", {
					...(has("ImportAccounts.text") ? { text } : { tokens: tokensOf(text) }),
					token_type: type,
					...(names.length > 0 ? { tags: names } : {}),
				}),
			);
			void client.invalidateQueries({ queryKey: ["bulk"] });
		});
	const take = async (chosen: File | undefined) => {
		if (chosen) setText(await chosen.text());
	};
	const dropped = (event: DragEvent) => {
		event.preventDefault();
		void take(event.dataTransfer.files[0]);
	};
	const footer = bulk ? (
		<Button kind="primary" onClick={onClose}>
			{t("ui.close")}
		</Button>
	) : preview ? (
		<>
			<Button onClick={() => setPreview(null)}>{t("ui.back")}</Button>
			<Button kind="primary" busy={busy} disabled={preview.new === 0} onClick={() => void start()}>
				{t("import.start", { n: number(preview.new) })}
			</Button>
		</>
	) : (
		<>
			<Button onClick={onClose}>{t("ui.cancel")}</Button>
			<Button kind="primary" busy={busy} disabled={text.trim() === ""} onClick={() => void look()}>
				{t("import.look")}
			</Button>
		</>
	);
	return (
		<Dialog wide title={t("accounts.import")} onClose={onClose} footer={footer}>
			<div className="grid gap-4">
				{error ? <ErrorBox error={error} /> : null}
				{bulk ? (
					<Running bulk={bulk} />
				) : preview ? (
					<Preview preview={preview} />
				) : (
					<div className="grid gap-4" onDragOver={(event) => event.preventDefault()} onDrop={dropped}>
						<TextArea
							label={t("import.tokens")}
							hint={t("import.hint")}
							rows={9}
							className="font-mono text-xs!"
							value={text}
							onChange={(event) => setText(event.target.value)}
							spellCheck={false}
							autoComplete="off"
							autoFocus
						/>
						<div className="grid gap-4 sm:grid-cols-3">
							<SelectField
								label={t("accounts.type")}
								value={type}
								onChange={(event) => setType(event.target.value)}
								options={["sso", "ssoSuper"].map((value) => ({ value, label: word(value) }))}
							/>
							<TextField label={t("accounts.tags")} value={tags} onChange={(event) => setTags(event.target.value)} />
							<div className="self-end">
								<input
									ref={file}
									type="file"
									hidden
									accept=".txt,.csv,.json"
									onChange={(event) => void take(event.target.files?.[0])}
								/>
								<Button icon={<FileUp size={15} aria-hidden />} onClick={() => file.current?.click()}>
									{t("import.file")}
								</Button>
							</div>
						</div>
					</div>
				)}
			</div>
		</Dialog>
	);
}

function Preview({ preview }: { preview: ImportPreview }) {
	const counts = [
		["new", preview.new, "ok"],
		["known", preview.known, "plain"],
		["repeated", preview.repeated, "plain"],
		["unusable", preview.unusable.length, "bad"],
	] as const;
	return (
		<div className="grid gap-4">
			<p>{t("import.found", { n: number(preview.total), format: word(preview.format) })}</p>
			<dl className="grid grid-cols-2 gap-px overflow-hidden rounded-lg border bg-line sm:grid-cols-4">
				{counts.map(([name, count, tone]) => (
					<div key={name} className="bg-surface p-3">
						<dt className="text-sm text-muted">{t(`import.${name}`)}</dt>
						<dd
							className={`text-xl font-semibold ${count > 0 && tone === "ok" ? "text-ok" : count > 0 && tone === "bad" ? "text-bad" : ""}`}
						>
							{number(count)}
						</dd>
					</div>
				))}
			</dl>
			{preview.new === 0 && <p className="text-warn">{t("import.nothingNew")}</p>}
			{preview.unusable.length > 0 && (
				<ul className="grid gap-1 text-sm">
					{preview.unusable.slice(0, 8).map((bad) => (
						<li key={bad.line}>
							<span className="text-bad">{t("import.line", { line: bad.line })}</span>{" "}
							<span className="text-muted">{bad.reason}</span>
						</li>
					))}
				</ul>
			)}
			<div
				className="thin-scroll max-h-72 overflow-auto rounded-md border"
				role="region"
				aria-label={t("import.sample")}
				tabIndex={0}
			>
				<table className="w-full text-sm">
					<thead className="sticky top-0 bg-sunken text-left text-xs text-muted">
						<tr>
							{[
								t("import.lineTitle"),
								t("accounts.hint"),
								t("accounts.type"),
								t("accounts.tags"),
								t("accounts.note"),
								t("import.state"),
							].map((title) => (
								<th key={title} className="px-3 py-1.5 font-medium">
									{title}
								</th>
							))}
						</tr>
					</thead>
					<tbody>
						{preview.sample.map((row) => (
							<tr key={row.line} className="border-t">
								<td className="px-3 py-1.5 text-muted">{row.line}</td>
								<td className="px-3 py-1.5">
									<Mono>{row.hint}</Mono>
								</td>
								<td className="px-3 py-1.5">{word(row.token_type)}</td>
								<td className="px-3 py-1.5">{row.tags.join(", ")}</td>
								<td className="px-3 py-1.5">{row.note}</td>
								<td className="px-3 py-1.5">
									<Badge tone={row.known ? "plain" : "ok"}>{t(row.known ? "import.known" : "import.new")}</Badge>
								</td>
							</tr>
						))}
					</tbody>
				</table>
			</div>
		</div>
	);
}

function Running({ bulk }: { bulk: Bulk }) {
	const { jobs } = useLive();
	const isEnd = (row: Bulk | undefined) =>
		row !== undefined && ["completed", "failed", "cancelled"].includes(row.status);
	const row = useQuery({
		queryKey: ["bulk", "one", bulk.id],
		queryFn: () => api.get<Bulk>(`/api/bulk/${bulk.id}`),
		initialData: bulk,
		refetchInterval: (query) => (isEnd(query.state.data) ? false : 1000),
	}).data;
	const isOver = isEnd(row);
	const now = { ...row, ...(isOver ? {} : (jobs.get(bulk.id)?.bulk ?? {})) };
	return (
		<div className="grid gap-3 py-4" aria-live="polite">
			<p className="text-lg font-semibold">{t(isOver ? "import.done" : "import.running")}</p>
			<Progress
				label={t("accounts.import")}
				value={now.total > 0 ? ((now.done + now.failed) / now.total) * 100 : isOver ? 100 : 0}
			/>
			<p className="text-muted">
				{number(now.done)} / {number(now.total)}
				{now.failed > 0 && ` · ${t("tray.failed", { n: number(now.failed) })}`}
			</p>
			{!isOver && <p className="text-muted">{t("import.goesOn")}</p>}
		</div>
	);
}
