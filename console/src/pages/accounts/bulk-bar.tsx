import { useQueryClient } from "@tanstack/react-query";
import { FlaskConical, Power, PowerOff, Tag, Trash2, X } from "lucide-react";
import { useState } from "react";
import { api } from "../../api/client";
import type { AccountChoice, AccountFilter, Bulk } from "../../api/types";
import { t, word } from "../../i18n";
import { number } from "../../lib/format";
import { Button, IconButton } from "../../ui/button";
import { Confirm } from "../../ui/dialog";
import { TextField } from "../../ui/field";
import { toast, toastError } from "../../ui/toast";

type Act = "test" | "enable" | "disable" | "tag" | "delete";
/** From how many on the number has to be typed. */
const MANY = 20;
/** A deletion waits as long as its undo is offered, and a little more. */
const DELAY_SECS = 30;

type Props = {
	ids: string[];
	filter: AccountFilter;
	total: number;
	all: boolean;
	onAll: (all: boolean) => void;
	onClear: () => void;
};

/** What is done to all that are selected, or to all that match. */
export function BulkBar({ ids, filter, total, all, onAll, onClear }: Props) {
	const client = useQueryClient();
	const [asked, setAsked] = useState<Act | null>(null);
	const [tags, setTags] = useState({ add: "", remove: "" });
	const [busy, setBusy] = useState(false);
	const count = all ? total : ids.length;
	const isDangerous = asked === "delete" || asked === "disable";
	const words = (text: string) => text.split(/[,\s]+/).filter(Boolean);
	const run = async (act: Act) => {
		const choice: AccountChoice = all ? { filter } : { ids };
		const more =
			act === "tag"
				? { add: words(tags.add), remove: words(tags.remove) }
				: act === "delete"
					? { delay_secs: DELAY_SECS }
					: {};
		setBusy(true);
		try {
			const bulk = await api.post<Bulk>(`/api/bulk/${act}`, { ...choice, ...more });
			const undo = () =>
				api
					.post(`/api/jobs/${bulk.id}/cancel`)
					.then(() => toast(t("bulk.undone")))
					.catch(toastError)
					.finally(() => client.invalidateQueries({ queryKey: ["bulk"] }));
			toast(
				t("bulk.started", { what: word(bulk.kind), n: number(bulk.total || count) }),
				act === "delete" ? { action: { label: t("ui.undo"), act: () => void undo() }, ms: 25_000 } : {},
			);
			setAsked(null);
			onClear();
			void client.invalidateQueries({ queryKey: ["bulk"] });
			void client.invalidateQueries({ queryKey: ["accounts"] });
		} catch (error) {
			toastError(error);
		} finally {
			setBusy(false);
		}
	};
	const icon = { test: FlaskConical, enable: Power, disable: PowerOff, tag: Tag, delete: Trash2 };
	return (
		<section
			aria-label={t("bulk.label")}
			className="flex flex-wrap items-center gap-2 rounded-lg border border-accent/40 bg-accent-soft px-3 py-2"
		>
			<span className="font-medium">{t("bulk.selected", { n: number(count) })}</span>
			{!all && total > ids.length && (
				<button type="button" className="text-accent underline" onClick={() => onAll(true)}>
					{t("bulk.selectAll", { n: number(total) })}
				</button>
			)}
			<span className="flex-1" />
			{(["test", "enable", "disable", "tag", "delete"] as const).map((act) => {
				const Icon = icon[act];
				return (
					<Button
						key={act}
						size="sm"
						kind={act === "delete" ? "danger" : "plain"}
						icon={<Icon size={14} aria-hidden />}
						onClick={() => (act === "test" && count < MANY ? void run(act) : setAsked(act))}
					>
						{t(`bulk.${act}`)}
					</Button>
				);
			})}
			<IconButton label={t("bulk.clear")} onClick={onClear}>
				<X size={15} aria-hidden />
			</IconButton>
			{asked && (
				<Confirm
					title={t(`bulk.ask.${asked}`, { n: number(count) })}
					action={t(`bulk.${asked}`)}
					danger={isDangerous}
					typed={isDangerous && count >= MANY ? String(count) : undefined}
					busy={busy}
					onClose={() => setAsked(null)}
					onConfirm={() => void run(asked)}
				>
					<p>{t(`bulk.why.${asked}`)}</p>
					{asked === "tag" && (
						<div className="grid gap-3">
							<TextField
								label={t("bulk.add")}
								value={tags.add}
								onChange={(event) => setTags({ ...tags, add: event.target.value })}
								autoFocus
							/>
							<TextField
								label={t("bulk.remove")}
								value={tags.remove}
								onChange={(event) => setTags({ ...tags, remove: event.target.value })}
							/>
						</div>
					)}
				</Confirm>
			)}
		</section>
	);
}
