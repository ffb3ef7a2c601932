import { type FormEvent, useEffect, useState } from "react";
import { failure } from "../../api/client";
import { t, word } from "../../i18n";
import { Progress, Status } from "../../ui/bits";
import { Button } from "../../ui/button";
import { TextArea } from "../../ui/field";
import { Empty, ErrorBox } from "../../ui/states";
import type { Shared } from "../playground";
import { call } from "./key";

type Row = { id: string; status: string; progress: number; error?: { message: string } | null };

export function Video({ model, onRaw, onCall }: Shared) {
	const [prompt, setPrompt] = useState("");
	const [row, setRow] = useState<Row | null>(null);
	const [source, setSource] = useState<string | null>(null);
	const [error, setError] = useState<unknown>(null);
	const [busy, setBusy] = useState(false);
	useEffect(() => () => void (source && URL.revokeObjectURL(source)), [source]);
	useEffect(() => {
		if (!row || row.status === "failed" || row.status === "completed") return;
		const timer = setTimeout(async () => {
			try {
				const response = await call(`/v1/videos/${row.id}`);
				if (!response.ok) throw await failure(response);
				const next = (await response.json()) as Row;
				onRaw(JSON.stringify(next));
				if (next.status === "completed") {
					const content = await call(`/v1/videos/${row.id}/content`);
					if (!content.ok) throw await failure(content);
					setSource(URL.createObjectURL(await content.blob()));
				}
				setRow(next);
			} catch (failed) {
				setError(failed);
			}
		}, 1000);
		return () => clearTimeout(timer);
	}, [row]);
	const make = async (event: FormEvent) => {
		event.preventDefault();
		const body = { model, prompt };
		setBusy(true);
		setError(null);
		setRow(null);
		setSource(null);
		onCall({ path: "/v1/videos", body });
		try {
			const response = await call("/v1/videos", body);
			if (!response.ok) throw await failure(response);
			const made = (await response.json()) as Row;
			onRaw(JSON.stringify(made));
			setRow(made);
		} catch (failed) {
			setError(failed);
		} finally {
			setBusy(false);
		}
	};
	const isRunning = row !== null && row.status !== "completed" && row.status !== "failed";
	return (
		<div className="grid gap-4">
			<form onSubmit={make} className="grid gap-3 rounded-lg border bg-surface p-4 shadow-card">
				<TextArea
					label={t("generations.prompt")}
					rows={3}
					value={prompt}
					onChange={(event) => setPrompt(event.target.value)}
					required
				/>
				<div className="flex justify-end">
					<Button type="submit" kind="primary" busy={busy || isRunning} disabled={!prompt.trim() || !model}>
						{t("play.film")}
					</Button>
				</div>
			</form>
			{error ? <ErrorBox error={error} /> : null}
			{row && (
				<div className="grid gap-2 rounded-lg border bg-surface p-4 shadow-card" aria-live="polite">
					<Status value={row.status} />
					<Progress label={word("video")} value={row.progress} />
					{row.error && <p className="text-bad">{row.error.message}</p>}
				</div>
			)}
			{source && <video src={source} controls className="w-full rounded-lg border bg-sunken" />}
			{!row && !error && <Empty title={t("play.videoEmpty")}>{t("play.videoWhy")}</Empty>}
		</div>
	);
}
