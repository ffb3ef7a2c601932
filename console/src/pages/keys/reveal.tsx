import type { NewKey } from "../../api/types";
import { t } from "../../i18n";
import { Code } from "../../ui/bits";
import { Button } from "../../ui/button";
import { Dialog } from "../../ui/dialog";
import { Snippets } from "./snippets";

/** A key, this one time. */
export function Reveal({ made, onClose }: { made: NewKey; onClose: () => void }) {
	return (
		<Dialog
			wide
			title={t("keys.reveal")}
			onClose={onClose}
			footer={
				<Button kind="primary" onClick={onClose}>
					{t("keys.saved")}
				</Button>
			}
		>
			<div className="grid gap-4">
				<p>{t("keys.once")}</p>
				<Code text={made.key} label={t("keys.key")} />
				<Snippets apiKey={made.key} />
			</div>
		</Dialog>
	);
}
