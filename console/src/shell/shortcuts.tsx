import { t } from "../i18n";
import { Kbd } from "../ui/bits";
import { Dialog } from "../ui/dialog";
import { pages } from "./nav";

export function Shortcuts({ onClose }: { onClose: () => void }) {
	const rows: [string, string][] = [
		["Ctrl K", t("palette.title")],
		["/", t("keysheet.filter")],
		["j  k", t("keysheet.rows")],
		["x", t("keysheet.select")],
		["Enter", t("keysheet.open")],
		["?", t("keysheet.title")],
		...pages.map((page): [string, string] => [`g ${page.go}`, t(page.title)]),
	];
	return (
		<Dialog title={t("keysheet.title")} onClose={onClose}>
			<dl className="grid gap-x-8 gap-y-2 sm:grid-cols-2">
				{rows.map(([key, text]) => (
					<div key={key} className="flex items-center justify-between gap-4">
						<dt>{text}</dt>
						<dd>
							<Kbd>{key}</Kbd>
						</dd>
					</div>
				))}
			</dl>
		</Dialog>
	);
}
