import { type FormEvent, useState } from "react";
import { raw, save } from "../../api/client";
import type { AccountFilter } from "../../api/types";
import { t } from "../../i18n";
import { Button } from "../../ui/button";
import { Dialog } from "../../ui/dialog";
import { SelectField, TextField } from "../../ui/field";
import { toast, toastError } from "../../ui/toast";

/** Accounts with their secrets, sealed with a passphrase. */
export function ExportDialog({ filter, onClose }: { filter: AccountFilter; onClose: () => void }) {
	const [busy, setBusy] = useState(false);
	const submit = async (event: FormEvent<HTMLFormElement>) => {
		event.preventDefault();
		const data = new FormData(event.currentTarget);
		const format = String(data.get("format"));
		setBusy(true);
		try {
			const response = await raw("POST", "/api/accounts/export", {
				format,
				passphrase: String(data.get("passphrase")),
				filter,
			});
			await save(response, `accounts.${format === "list" ? "txt" : format}.age`);
			toast(t("export.done"));
			onClose();
		} catch (error) {
			toastError(error);
		} finally {
			setBusy(false);
		}
	};
	return (
		<Dialog title={t("accounts.export")} onClose={onClose}>
			<form onSubmit={submit} className="grid gap-4">
				<p className="text-muted">{t("export.why")}</p>
				<SelectField
					label={t("export.format")}
					name="format"
					options={["json", "csv", "list"].map((value) => ({ value, label: value.toUpperCase() }))}
				/>
				<TextField
					label={t("export.passphrase")}
					name="passphrase"
					type="password"
					minLength={12}
					required
					autoComplete="new-password"
					hint={t("export.rule")}
				/>
				<div className="flex justify-end gap-2">
					<Button onClick={onClose}>{t("ui.cancel")}</Button>
					<Button type="submit" kind="primary" busy={busy}>
						{t("accounts.export")}
					</Button>
				</div>
			</form>
		</Dialog>
	);
}
