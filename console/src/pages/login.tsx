import { useQueryClient } from "@tanstack/react-query";
import { getRouteApi, useRouter } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { lang, setLang, t } from "../i18n";
import { login } from "../lib/session";
import { Code } from "../ui/bits";
import { Button } from "../ui/button";
import { TextField } from "../ui/field";
import { ErrorBox } from "../ui/states";

const route = getRouteApi("/login");

/** Only pages of ours are gone to after the login. */
const isOurs = (to: string | undefined): to is string => to !== undefined && /^\/manage(\/|\?|$)/.test(to);

export function LoginPage() {
	const { to } = route.useSearch();
	const router = useRouter();
	const client = useQueryClient();
	const [mode, setMode] = useState<"password" | "code">("password");
	const [error, setError] = useState<unknown>(null);
	const [busy, setBusy] = useState(false);
	const submit = async (event: FormEvent<HTMLFormElement>) => {
		event.preventDefault();
		const data = new FormData(event.currentTarget);
		setBusy(true);
		setError(null);
		try {
			await login(
				client,
				mode === "code"
					? { code: String(data.get("code")).trim() }
					: { username: String(data.get("username")).trim(), password: String(data.get("password")) },
			);
			router.history.push(isOurs(to) ? to : "/manage");
		} catch (failed) {
			setError(failed);
		} finally {
			setBusy(false);
		}
	};
	return (
		<main className="grid min-h-dvh content-center justify-items-center gap-6 px-4 py-8">
			<div className="w-full max-w-sm">
				<div className="mb-6 flex items-center gap-3">
					<img src={`${import.meta.env.BASE_URL}icon.svg`} alt="" className="size-9" />
					<div>
						<h1 className="text-xl leading-tight font-semibold tracking-tight">grok2api</h1>
						<p className="text-muted">{t("login.subtitle")}</p>
					</div>
				</div>
				<form onSubmit={submit} className="grid gap-4 rounded-lg border bg-surface p-6 shadow-card">
					{error ? <ErrorBox error={error} /> : null}
					{mode === "password" ? (
						<>
							<TextField
								label={t("login.username")}
								name="username"
								autoComplete="username"
								defaultValue="admin"
								required
							/>
							<TextField
								label={t("login.password")}
								name="password"
								type="password"
								autoComplete="current-password"
								required
								autoFocus
							/>
						</>
					) : (
						<>
							<TextField
								key="code"
								label={t("login.code")}
								name="code"
								autoComplete="one-time-code"
								required
								autoFocus
							/>
							<Code text="grok2api admin login-code" />
						</>
					)}
					<Button type="submit" kind="primary" busy={busy}>
						{t("login.go")}
					</Button>
					<button
						type="button"
						className="justify-self-start text-sm text-accent underline"
						onClick={() => setMode(mode === "code" ? "password" : "code")}
					>
						{mode === "code" ? t("login.withPassword") : t("login.withCode")}
					</button>
				</form>
				<div className="mt-4 flex items-start justify-between gap-6 text-sm text-muted">
					<p>{t("login.first")}</p>
					<button
						type="button"
						className="shrink-0 underline"
						onClick={() => void setLang(lang() === "en" ? "zh" : "en")}
					>
						{lang() === "en" ? "简体中文" : "English"}
					</button>
				</div>
			</div>
		</main>
	);
}
