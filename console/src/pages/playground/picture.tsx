import { type FormEvent, useState } from "react";
import { failure } from "../../api/client";
import { t } from "../../i18n";
import { mediaPath } from "../../lib/format";
import { Button } from "../../ui/button";
import { SelectField, TextArea } from "../../ui/field";
import { Empty, ErrorBox, Skeleton } from "../../ui/states";
import type { Shared } from "../playground";
import { call } from "./key";

export function Picture({ model, onRaw, onCall }: Shared) {
	const [prompt, setPrompt] = useState("");
	const [count, setCount] = useState("1");
	const [busy, setBusy] = useState(false);
	const [error, setError] = useState<unknown>(null);
	const [pictures, setPictures] = useState<string[]>([]);
	const draw = async (event: FormEvent) => {
		event.preventDefault();
		const body = { model, prompt, n: Number(count), response_format: "url" };
		setBusy(true);
		setError(null);
		setPictures([]);
		onCall({ path: "/v1/images/generations", body });
		try {
			const response = await call("/v1/images/generations", body);
			if (!response.ok) throw await failure(response);
			const answer = (await response.json()) as { data: { url?: string; b64_json?: string }[] };
			onRaw(JSON.stringify(answer, null, 2));
			setPictures(
				answer.data.flatMap(({ url, b64_json }) =>
					b64_json ? [`data:image/png;base64,${b64_json}`] : [mediaPath(url) ?? []].flat(),
				),
			);
		} catch (failed) {
			setError(failed);
		} finally {
			setBusy(false);
		}
	};
	return (
		<div className="grid gap-4">
			<form onSubmit={draw} className="grid gap-3 rounded-lg border bg-surface p-4 shadow-card">
				<TextArea
					label={t("generations.prompt")}
					rows={3}
					value={prompt}
					onChange={(event) => setPrompt(event.target.value)}
					required
				/>
				<div className="flex items-end justify-between gap-3">
					<div className="w-28">
						<SelectField
							label={t("play.count")}
							value={count}
							onChange={(event) => setCount(event.target.value)}
							options={["1", "2", "4"].map((value) => ({ value, label: value }))}
						/>
					</div>
					<Button type="submit" kind="primary" busy={busy} disabled={!prompt.trim() || !model}>
						{t("play.draw")}
					</Button>
				</div>
			</form>
			{error ? <ErrorBox error={error} /> : null}
			<div aria-live="polite" className="grid grid-cols-2 gap-3">
				{busy &&
					Array.from({ length: Number(count) }, (_, at) => <Skeleton key={at} className="aspect-square w-full" />)}
				{pictures.map((picture) => (
					<img key={picture} src={picture} alt={prompt} className="w-full rounded-lg border" />
				))}
			</div>
			{!busy && pictures.length === 0 && !error && <Empty title={t("play.imageEmpty")}>{t("play.imageWhy")}</Empty>}
		</div>
	);
}
