import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Languages, Moon, Plus, Search, Upload, UserRound } from "lucide-react";
import { type KeyboardEvent, type ReactNode, useState } from "react";
import { api } from "../api/client";
import type { Account, List } from "../api/types";
import { lang, setLang, t } from "../i18n";
import { useRested } from "../lib/hooks";
import { setTheme } from "../lib/theme";
import { Dialog } from "../ui/dialog";
import { pages } from "./nav";

type Entry = { id: string; text: string; hint?: string; icon: ReactNode; act: () => void };

/** Everything by its name: pages, actions, accounts. */
export function Palette({ onClose, onShortcuts }: { onClose: () => void; onShortcuts: () => void }) {
	const navigate = useNavigate();
	const [text, setText] = useState("");
	const [at, setAt] = useState(0);
	const search = useRested(text.trim(), 200);
	const found = useQuery({
		queryKey: ["accounts", "palette", search],
		queryFn: () => api.get<List<Account>>("/api/accounts", { search, limit: 5 }),
		enabled: search.length >= 2 && search.length <= 64,
	});
	const size = 15;
	const all: Entry[] = [
		...pages.map(({ to, title, icon: Icon, go }) => ({
			id: to,
			text: t(title),
			hint: `g ${go}`,
			icon: <Icon size={size} aria-hidden />,
			act: () => void navigate({ to }),
		})),
		{
			id: "setup",
			text: t("setup.title"),
			icon: <Plus size={size} aria-hidden />,
			act: () => void navigate({ to: "/manage/setup" }),
		},
		{
			id: "import",
			text: t("accounts.import"),
			icon: <Upload size={size} aria-hidden />,
			act: () => void navigate({ to: "/manage/accounts", search: { import: "1" } }),
		},
		{
			id: "key",
			text: t("keys.new"),
			icon: <Plus size={size} aria-hidden />,
			act: () => void navigate({ to: "/manage/keys", search: { open: "new" } }),
		},
		{
			id: "lang",
			text: lang() === "en" ? "简体中文" : "English",
			icon: <Languages size={size} aria-hidden />,
			act: () => void setLang(lang() === "en" ? "zh" : "en"),
		},
		{
			id: "theme",
			text: t("palette.theme"),
			icon: <Moon size={size} aria-hidden />,
			act: () => setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"),
		},
		{ id: "keys", text: t("keysheet.title"), hint: "?", icon: <Search size={size} aria-hidden />, act: onShortcuts },
	];
	const wanted = text.trim().toLowerCase();
	const entries: Entry[] = [
		...all.filter((entry) => entry.text.toLowerCase().includes(wanted)),
		...(found.data?.data ?? []).map((account) => ({
			id: account.id,
			text: account.note || account.hint,
			hint: account.tags.join(" "),
			icon: <UserRound size={size} aria-hidden />,
			act: () => void navigate({ to: "/manage/accounts", search: { open: account.id } }),
		})),
	];
	const run = (entry: Entry | undefined) => {
		if (!entry) return;
		onClose();
		entry.act();
	};
	const keys = (event: KeyboardEvent) => {
		const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
		if (step) {
			event.preventDefault();
			setAt((at + step + entries.length) % Math.max(1, entries.length));
		}
		if (event.key === "Enter") {
			event.preventDefault();
			run(entries[at]);
		}
	};
	return (
		<Dialog title={t("palette.title")} onClose={onClose}>
			<input
				role="combobox"
				aria-expanded
				aria-controls="palette-list"
				aria-activedescendant={entries[at] ? `palette-${at}` : undefined}
				aria-label={t("palette.title")}
				autoFocus
				className="field h-10"
				placeholder={t("palette.hint")}
				value={text}
				onChange={(event) => {
					setText(event.target.value);
					setAt(0);
				}}
				onKeyDown={keys}
			/>
			<div
				id="palette-list"
				role="listbox"
				aria-label={t("palette.title")}
				className="mt-3 grid h-80 content-start gap-px overflow-y-auto"
				tabIndex={-1}
			>
				{entries.map((entry, index) => (
					<div
						key={entry.id}
						id={`palette-${index}`}
						role="option"
						tabIndex={-1}
						aria-selected={index === at}
						onClick={() => run(entry)}
						onMouseMove={() => setAt(index)}
						className={`flex h-9 cursor-pointer items-center gap-3 rounded-md px-3 ${index === at ? "bg-accent-soft text-accent" : ""}`}
					>
						{entry.icon}
						<span className="flex-1 truncate">{entry.text}</span>
						{entry.hint && <span className="font-mono text-xs text-muted">{entry.hint}</span>}
					</div>
				))}
				{entries.length === 0 && <p className="p-3 text-muted">{t("palette.none")}</p>}
			</div>
		</Dialog>
	);
}
