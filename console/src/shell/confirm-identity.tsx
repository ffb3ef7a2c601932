import { type FormEvent, useEffect, useState } from "react";
import { api, onAsked } from "../api/client";
import { t } from "../i18n";
import type { AppRouter } from "../router";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { TextField } from "../ui/field";

/** Asks for the password again when the gateway wants to be sure; what was asked for then goes on. */
export function ConfirmIdentity({ router }: { router: AppRouter }) {
	const [asked, setAsked] = useState<((confirmed: boolean) => void) | null>(null);
	const [error, setError] = useState<string | null>(null);
	const [busy, setBusy] = useState(false);
	useEffect(() => {
		onAsked(
			() => new Promise<boolean>((resolve) => setAsked(() => resolve)),
			() => {
				const { href, pathname } = router.state.location;
				if (pathname !== "/login") void router.navigate({ to: "/login", search: { to: href } });
			},
		);
	}, [router]);
	if (!asked) return null;
	const end = (confirmed: boolean) => {
		asked(confirmed);
		setAsked(null);
		setError(null);
	};
	const submit = async (event: FormEvent<HTMLFormElement>) => {
		event.preventDefault();
		const password = String(new FormData(event.currentTarget).get("password") ?? "");
		setBusy(true);
		try {
			await api.post("/api/session/confirm", { password });
			end(true);
		} catch (failed) {
			setError(failed instanceof Error ? failed.message : t("ui.unreachable"));
		} finally {
			setBusy(false);
		}
	};
	return (
		<Dialog title={t("confirm.title")} onClose={() => end(false)}>
			<form onSubmit={submit} className="grid gap-4">
				<p className="text-muted">{t("confirm.why")}</p>
				<TextField
					label={t("login.password")}
					name="password"
					type="password"
					autoComplete="current-password"
					required
					error={error}
					autoFocus
				/>
				<div className="flex justify-end gap-2">
					<Button onClick={() => end(false)}>{t("ui.cancel")}</Button>
					<Button type="submit" kind="primary" busy={busy}>
						{t("confirm.go")}
					</Button>
				</div>
			</form>
		</Dialog>
	);
}
