import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api, setCsrf } from "../api/client";
import type { LoginResult } from "../api/types";
import { t } from "../i18n";
import { sessionQuery } from "../lib/session";
import { Button } from "../ui/button";
import { TextField } from "../ui/field";
import { ErrorBox } from "../ui/states";
import { toast } from "../ui/toast";

/** A password of one's own; `first` when it must be, before anything else. */
export function PasswordForm({ first }: { first?: boolean }) {
	const client = useQueryClient();
	const [error, setError] = useState<unknown>(null);
	const [mismatch, setMismatch] = useState(false);
	const [busy, setBusy] = useState(false);
	const submit = async (event: FormEvent<HTMLFormElement>) => {
		event.preventDefault();
		const form = event.currentTarget;
		const data = new FormData(form);
		const wanted = String(data.get("new"));
		setError(null);
		setMismatch(wanted !== data.get("again"));
		if (wanted !== data.get("again")) return;
		setBusy(true);
		try {
			const result = await api.post<LoginResult>("/api/password", {
				current_password: String(data.get("current")),
				new_password: wanted,
			});
			setCsrf(result.csrf_token);
			form.reset();
			toast(t("password.done"));
			await client.fetchQuery({ ...sessionQuery, staleTime: 0 });
		} catch (failed) {
			setError(failed);
		} finally {
			setBusy(false);
		}
	};
	const fields = (
		<form onSubmit={submit} className="grid gap-4">
			{error ? <ErrorBox error={error} /> : null}
			<TextField
				label={t("password.current")}
				name="current"
				type="password"
				autoComplete="current-password"
				required
			/>
			<TextField
				label={t("password.new")}
				name="new"
				type="password"
				autoComplete="new-password"
				required
				minLength={8}
				hint={t("password.rule")}
			/>
			<TextField
				label={t("password.again")}
				name="again"
				type="password"
				autoComplete="new-password"
				required
				error={mismatch ? t("password.mismatch") : null}
			/>
			<div>
				<Button type="submit" kind="primary" busy={busy}>
					{t("password.go")}
				</Button>
			</div>
		</form>
	);
	if (!first) return fields;
	return (
		<main className="grid min-h-dvh place-items-center px-4 py-8">
			<div className="w-full max-w-sm rounded-lg border bg-surface p-6 shadow-card">
				<h1 className="text-xl font-semibold tracking-tight">{t("password.title")}</h1>
				<p className="mt-1 mb-5 text-muted">{t("password.why")}</p>
				{fields}
			</div>
		</main>
	);
}
