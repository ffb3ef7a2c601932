import {
	Activity,
	CalendarClock,
	FileClock,
	FlaskConical,
	HardDrive,
	Images,
	KeyRound,
	LayoutDashboard,
	ListChecks,
	Settings,
	UsersRound,
} from "lucide-react";
import { has } from "../api/has";
import type { Key } from "../i18n";

/** What a page cannot be without. */
const needs: Record<string, string> = {
	"/manage/jobs": "GET /api/jobs",
	"/manage/generations": "GET /api/generations",
	"/manage/queues": "GET /api/queues",
	"/manage/workers": "GET /api/workers",
};
export const isOffered = (to: string) => needs[to] === undefined || has(needs[to]);

/** The pages, in the order of the sidebar. `go` is the second key of `g …`. */
const all = [
	{
		title: "nav.observe",
		pages: [
			{ to: "/manage", title: "nav.overview", icon: LayoutDashboard, go: "o" },
			{ to: "/manage/requests", title: "nav.requests", icon: Activity, go: "r" },
			{ to: "/manage/playground", title: "nav.playground", icon: FlaskConical, go: "p" },
		],
	},
	{
		title: "nav.pool",
		pages: [
			{ to: "/manage/accounts", title: "nav.accounts", icon: UsersRound, go: "a" },
			{ to: "/manage/keys", title: "nav.keys", icon: KeyRound, go: "k" },
		],
	},
	{
		title: "nav.work",
		pages: [
			{ to: "/manage/generations", title: "nav.generations", icon: Images, go: "g" },
			{ to: "/manage/jobs", title: "nav.jobs", icon: ListChecks, go: "j" },
			{ to: "/manage/schedules", title: "nav.schedules", icon: CalendarClock, go: "c" },
			{ to: "/manage/media", title: "nav.media", icon: HardDrive, go: "m" },
		],
	},
	{
		title: "nav.house",
		pages: [
			{ to: "/manage/settings", title: "nav.settings", icon: Settings, go: "s" },
			{ to: "/manage/audit", title: "nav.audit", icon: FileClock, go: "u" },
		],
	},
] as const satisfies { title: Key; pages: { to: string; title: Key; icon: typeof Activity; go: string }[] }[];

export const sections = all.map((section) => ({
	title: section.title,
	pages: section.pages.filter((page) => isOffered(page.to)),
}));

export const pages = sections.flatMap((section) => section.pages);
