import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import { failure } from "../api/client";
import type { List, Model } from "../api/types";
import { t } from "../i18n";
import { Code } from "../ui/bits";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { SelectField } from "../ui/field";
import { Page, Segments } from "../ui/page";
import { ErrorBox } from "../ui/states";
import type { Call } from "./keys/snippets";
import { Snippets } from "./keys/snippets";
import { Chat } from "./playground/chat";
import { call } from "./playground/key";
import { Picture } from "./playground/picture";
import { Video } from "./playground/video";

const route = getRouteApi("/manage/playground");
const modes = ["chat", "image", "video"] as const;
type Mode = (typeof modes)[number];
const can = (model: Model, what: string) => model.capabilities.includes(what);
const fits: Record<Mode, (model: Model) => boolean> = {
	chat: (model) => can(model, "chat") && !can(model, "video"),
	image: (model) => can(model, "image_generation") && !can(model, "video"),
	video: (model) => can(model, "video"),
};

export function PlaygroundPage() {
	const search = route.useSearch();
	const navigate = route.useNavigate();
	const mode = modes.find((mode) => mode === search.mode) ?? "chat";
	const [raw, setRaw] = useState<string[]>([]);
	const [made, setMade] = useState<Call | null>(null);
	const [asCode, setAsCode] = useState(false);
	const models = useQuery({
		queryKey: ["models"],
		queryFn: async () => {
			const response = await call("/v1/models");
			if (!response.ok) throw await failure(response);
			return (await response.json()) as List<Model>;
		},
		staleTime: 300_000,
	});
	const all = models.data?.data ?? [];
	const offered = all.filter(fits[mode]);
	const list = offered.length > 0 ? offered : all;
	const model =
		list.find((one) => one.id === search.model)?.id ??
		list.find((one) => one.id === "grok-4-fast")?.id ??
		list[0]?.id ??
		"";
	const shared = {
		model,
		onRaw: (line: string) => setRaw((lines) => [...lines.slice(-400), line]),
		onCall: (made: Call) => {
			setRaw([]);
			setMade(made);
		},
	};
	return (
		<Page
			title={t("nav.playground")}
			about={t("play.about")}
			actions={
				<>
					<Segments
						label={t("play.mode")}
						value={mode}
						options={modes.map((value) => ({ value, label: t(`play.${value}`) }))}
						onChange={(mode) => void navigate({ search: { mode } })}
					/>
					<div className="w-56">
						<SelectField
							hideLabel
							label={t("requests.model")}
							value={model}
							onChange={(event) => void navigate({ search: { mode, model: event.target.value } })}
							options={list.map((one) => ({ value: one.id, label: one.id }))}
						/>
					</div>
					<Button disabled={!made} onClick={() => setAsCode(true)}>
						{t("play.code")}
					</Button>
				</>
			}
		>
			{models.error ? <ErrorBox error={models.error} retry={() => void models.refetch()} /> : null}
			<div className="grid items-start gap-4 xl:grid-cols-[minmax(0,1fr)_24rem]">
				{mode === "chat" && <Chat {...shared} />}
				{mode === "image" && <Picture {...shared} />}
				{mode === "video" && <Video {...shared} />}
				<div className="grid gap-2">
					<h2 className="font-semibold">{t("play.raw")}</h2>
					<Code text={raw.length > 0 ? raw.join("\n") : t("play.rawEmpty")} label={t("play.raw")} />
				</div>
			</div>
			{asCode && made && (
				<Dialog wide title={t("play.code")} onClose={() => setAsCode(false)}>
					<Snippets apiKey="YOUR_KEY" call={made} />
				</Dialog>
			)}
		</Page>
	);
}

export type Shared = { model: string; onRaw: (line: string) => void; onCall: (call: Call) => void };
