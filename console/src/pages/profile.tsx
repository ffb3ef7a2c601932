import { useQuery, useQueryClient } from "@tanstack/react-query";
import { api } from "../api/client";
import type { List, SessionObject } from "../api/types";
import { lang, setLang, t } from "../i18n";
import { relative } from "../lib/format";
import { setTheme, useTheme } from "../lib/theme";
import { Badge, Card } from "../ui/bits";
import { Button } from "../ui/button";
import { Page, Segments } from "../ui/page";
import { ErrorBox, Loading } from "../ui/states";
import { toast, toastError } from "../ui/toast";
import { PasswordForm } from "./password";

export function ProfilePage() {
	const client = useQueryClient();
	const theme = useTheme();
	const sessions = useQuery({ queryKey: ["sessions"], queryFn: () => api.get<List<SessionObject>>("/api/sessions") });
	const end = (path: string) =>
		api
			.delete(path)
			.then(() => toast(t("profile.ended")))
			.catch(toastError)
			.finally(() => client.invalidateQueries({ queryKey: ["sessions"] }));
	return (
		<Page title={t("nav.profile")}>
			<div className="grid grid-cols-1 items-start gap-4 lg:grid-cols-2">
				<div className="grid grid-cols-1 gap-4">
					<Card title={t("profile.look")}>
						<div className="grid grid-cols-1 gap-4">
							<Segments
								label={t("palette.theme")}
								value={theme}
								options={(["system", "light", "dark"] as const).map((value) => ({ value, label: t(`theme.${value}`) }))}
								onChange={setTheme}
							/>
							<Segments
								label={t("profile.language")}
								value={lang()}
								options={[
									{ value: "en", label: "English" },
									{ value: "zh", label: "简体中文" },
								]}
								onChange={(value) => void setLang(value)}
							/>
						</div>
					</Card>
					<Card title={t("password.title")}>
						<PasswordForm />
					</Card>
				</div>
				<Card
					title={t("profile.sessions")}
					aside={
						<Button size="sm" onClick={() => void end("/api/sessions")}>
							{t("profile.endOthers")}
						</Button>
					}
				>
					{sessions.isPending && <Loading />}
					{sessions.error ? <ErrorBox error={sessions.error} /> : null}
					<ul className="grid grid-cols-1 divide-y">
						{sessions.data?.data.map((one) => (
							<li key={one.id} className="flex items-center justify-between gap-4 py-2.5">
								<div className="min-w-0">
									<p className="truncate" title={one.agent}>
										{one.agent || "–"}
									</p>
									<p className="text-xs text-muted">
										{one.ip} · {relative(one.seen_at_ms)}
									</p>
								</div>
								{one.current ? (
									<Badge tone="ok">{t("profile.this")}</Badge>
								) : (
									<Button size="sm" onClick={() => void end(`/api/sessions/${one.id}`)}>
										{t("profile.end")}
									</Button>
								)}
							</li>
						))}
					</ul>
				</Card>
			</div>
		</Page>
	);
}
