import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, Outlet, useNavigate, useRouterState } from "@tanstack/react-router";
import { BookOpen, Languages, LogOut, Menu as MenuIcon, Monitor, Moon, Search, Sun, UserRound, X } from "lucide-react";
import { useEffect, useState } from "react";
import { lang, setLang, t } from "../i18n";
import { useHotkeys } from "../lib/hooks";
import { useLiveConnection } from "../lib/live";
import { logout, sessionQuery } from "../lib/session";
import { setTheme, useTheme } from "../lib/theme";
import { PasswordForm } from "../pages/password";
import { Kbd } from "../ui/bits";
import { IconButton } from "../ui/button";
import { Menu } from "../ui/menu";
import { toastError } from "../ui/toast";
import { Health } from "./health";
import { pages, sections } from "./nav";
import { Palette } from "./palette";
import { Shortcuts } from "./shortcuts";
import { Tray } from "./tray";

export function Layout() {
	const session = useQuery(sessionQuery).data;
	if (session?.must_change_password) return <PasswordForm first />;
	return <Shell />;
}

function Shell() {
	const client = useQueryClient();
	const navigate = useNavigate();
	const path = useRouterState({ select: (state) => state.location.pathname });
	const [open, setOpen] = useState<"palette" | "keys" | "nav" | null>(null);
	useLiveConnection(client);
	useEffect(() => setOpen((now) => (now === "nav" ? null : now)), [path]);
	useEffect(() => {
		const page = [...pages].reverse().find((page) => path.startsWith(page.to));
		document.title = page ? `${t(page.title)} · grok2api` : "grok2api";
	}, [path]);
	useHotkeys({
		"mod+k": () => setOpen("palette"),
		"?": () => setOpen("keys"),
		"/": () => document.querySelector<HTMLInputElement>("[data-filter]")?.focus(),
		...Object.fromEntries(pages.map((page) => [`g ${page.go}`, () => void navigate({ to: page.to })])),
	});
	return (
		<div className="min-h-dvh md:grid md:grid-cols-[13.5rem_1fr]">
			<a
				href="#main"
				className="sr-only z-50 rounded-md bg-accent px-3 py-2 text-on-accent focus:not-sr-only focus:fixed focus:top-2 focus:left-2"
			>
				{t("nav.skip")}
			</a>
			<aside className="sticky top-0 hidden h-dvh border-r bg-surface md:block">
				<Sidebar />
			</aside>
			<div className="flex min-w-0 flex-col">
				<header className="sticky top-0 z-20 flex h-13 items-center gap-1 border-b bg-bg/95 px-3 backdrop-blur sm:px-5">
					<IconButton label={t("nav.menu")} className="md:hidden" onClick={() => setOpen("nav")}>
						<MenuIcon size={18} aria-hidden />
					</IconButton>
					<button
						type="button"
						onClick={() => setOpen("palette")}
						className="flex h-8 min-w-0 items-center gap-2 rounded-md border bg-surface px-2.5 text-muted hover:border-strong hover:text-ink sm:w-72"
					>
						<Search size={15} aria-hidden className="shrink-0" />
						<span className="flex-1 truncate text-left max-sm:sr-only">{t("nav.search")}</span>
						<span className="hidden sm:block">
							<Kbd>Ctrl K</Kbd>
						</span>
					</button>
					<div className="flex-1" />
					<Tray />
					<Health />
					<Me
						onLogout={() =>
							logout(client)
								.then(() => navigate({ to: "/login" }))
								.catch(toastError)
						}
					/>
				</header>
				<main id="main" tabIndex={-1} className="min-w-0 flex-1 focus:outline-none">
					<Outlet />
				</main>
			</div>
			{open === "nav" && <SideDrawer onClose={() => setOpen(null)} />}
			{open === "palette" && <Palette onClose={() => setOpen(null)} onShortcuts={() => setOpen("keys")} />}
			{open === "keys" && <Shortcuts onClose={() => setOpen(null)} />}
		</div>
	);
}

function SideDrawer({ onClose }: { onClose: () => void }) {
	useEffect(() => {
		const pressed = (event: KeyboardEvent) => event.key === "Escape" && onClose();
		document.addEventListener("keydown", pressed);
		return () => document.removeEventListener("keydown", pressed);
	}, [onClose]);
	return (
		<div className="fixed inset-0 z-40 md:hidden">
			<button
				type="button"
				tabIndex={-1}
				aria-hidden
				className="absolute inset-0 size-full bg-black/45"
				onClick={onClose}
			/>
			<div className="absolute inset-y-0 left-0 w-60 border-r bg-surface shadow-pop">
				<div className="absolute top-2.5 right-2.5">
					<IconButton label={t("ui.close")} onClick={onClose} autoFocus>
						<X size={17} aria-hidden />
					</IconButton>
				</div>
				<Sidebar />
			</div>
		</div>
	);
}

function Sidebar() {
	return (
		<nav aria-label={t("nav.label")} className="thin-scroll flex h-full flex-col gap-5 overflow-y-auto px-3 py-4">
			<Link to="/manage" className="flex items-center gap-2.5 px-2 font-semibold tracking-tight">
				<img src={`${import.meta.env.BASE_URL}icon.svg`} alt="" className="size-6" />
				grok2api
			</Link>
			{sections.map((section) => (
				<div key={section.title}>
					<p className="px-2 pb-1 text-2xs font-medium tracking-wide text-muted uppercase">{t(section.title)}</p>
					<ul className="grid gap-px">
						{section.pages.map(({ to, title, icon: Icon }) => (
							<li key={to}>
								<Link
									to={to}
									activeOptions={{ exact: to === "/manage", includeSearch: false }}
									className="flex h-8 items-center gap-2.5 rounded-md px-2 text-muted hover:bg-sunken hover:text-ink [&.active]:bg-accent-soft [&.active]:font-medium [&.active]:text-accent"
								>
									<Icon size={16} aria-hidden />
									{t(title)}
								</Link>
							</li>
						))}
					</ul>
				</div>
			))}
			<div className="flex-1" />
			<a
				href="/docs"
				target="_blank"
				rel="noreferrer"
				className="flex h-8 items-center gap-2.5 rounded-md px-2 text-muted hover:bg-sunken hover:text-ink"
			>
				<BookOpen size={16} aria-hidden />
				{t("nav.docs")}
			</a>
		</nav>
	);
}

function Me({ onLogout }: { onLogout: () => void }) {
	const theme = useTheme();
	const navigate = useNavigate();
	const next = { system: "light", light: "dark", dark: "system" } as const;
	const icons = { system: Monitor, light: Sun, dark: Moon };
	const Icon = icons[theme];
	return (
		<Menu
			trigger={
				<IconButton label={t("nav.me")}>
					<UserRound size={17} aria-hidden />
				</IconButton>
			}
			items={[
				{
					label: t("nav.profile"),
					icon: <UserRound size={15} aria-hidden />,
					act: () => void navigate({ to: "/manage/profile" }),
				},
				"line",
				{ label: t(`theme.${theme}`), icon: <Icon size={15} aria-hidden />, act: () => setTheme(next[theme]) },
				{
					label: lang() === "en" ? "简体中文" : "English",
					icon: <Languages size={15} aria-hidden />,
					act: () => void setLang(lang() === "en" ? "zh" : "en"),
				},
				"line",
				{ label: t("nav.logout"), icon: <LogOut size={15} aria-hidden />, act: onLogout },
			]}
		/>
	);
}
