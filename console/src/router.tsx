import type { QueryClient } from "@tanstack/react-query";
import {
	createRootRouteWithContext,
	createRoute,
	createRouter,
	lazyRouteComponent,
	Outlet,
	redirect,
} from "@tanstack/react-router";
import { ApiError } from "./api/client";
import { sessionQuery } from "./lib/session";
import { LoginPage } from "./pages/login";
import { NotFound, RouteError } from "./shell/fallbacks";
import { Layout } from "./shell/layout";
import { isOffered } from "./shell/nav";
import { Loading } from "./ui/states";

const root = createRootRouteWithContext<{ client: QueryClient }>()({ component: Outlet, notFoundComponent: NotFound });

type Raw = Record<string, unknown>;
/** Keeps the named members of the address that are short texts; everything else in it is dropped. */
const texts =
	<K extends string>(...names: K[]) =>
	(raw: Raw): Partial<Record<K, string>> => {
		const kept: Partial<Record<K, string>> = {};
		for (const name of names) {
			const value = raw[name];
			const text = typeof value === "number" || typeof value === "boolean" ? String(value) : value;
			if (typeof text === "string" && text !== "" && text.length <= 256) kept[name] = text;
		}
		return kept;
	};

const loginRoute = createRoute({
	getParentRoute: () => root,
	path: "/login",
	validateSearch: texts("to"),
	component: LoginPage,
});

const manage = createRoute({
	getParentRoute: () => root,
	path: "/manage",
	component: Layout,
	errorComponent: RouteError,
	beforeLoad: async ({ context, location }) => {
		if (!isOffered(location.pathname)) throw redirect({ to: "/manage" });
		try {
			await context.client.ensureQueryData(sessionQuery);
		} catch (error) {
			if (error instanceof ApiError && error.status === 401)
				throw redirect({ to: "/login", search: { to: location.href } });
			throw error;
		}
	},
});

const under = () => manage;
const overview = createRoute({
	getParentRoute: under,
	path: "/",
	validateSearch: texts("range"),
	component: lazyRouteComponent(() => import("./pages/overview"), "OverviewPage"),
});
const setup = createRoute({
	getParentRoute: under,
	path: "setup",
	component: lazyRouteComponent(() => import("./pages/setup"), "SetupPage"),
});
const accounts = createRoute({
	getParentRoute: under,
	path: "accounts",
	validateSearch: texts("status", "standing", "token_type", "tag", "search", "sort", "order", "open", "import"),
	component: lazyRouteComponent(() => import("./pages/accounts"), "AccountsPage"),
});
const generations = createRoute({
	getParentRoute: under,
	path: "generations",
	validateSearch: texts("kind", "status", "model", "owner", "search", "open"),
	component: lazyRouteComponent(() => import("./pages/generations"), "GenerationsPage"),
});
const jobs = createRoute({
	getParentRoute: under,
	path: "jobs",
	validateSearch: texts("kind", "status", "owner", "generation_id", "error_code", "open"),
	component: lazyRouteComponent(() => import("./pages/jobs"), "JobsPage"),
});
const queues = createRoute({
	getParentRoute: under,
	path: "queues",
	component: lazyRouteComponent(() => import("./pages/queues"), "QueuesPage"),
});
const workers = createRoute({
	getParentRoute: under,
	path: "workers",
	component: lazyRouteComponent(() => import("./pages/workers"), "WorkersPage"),
});
const schedules = createRoute({
	getParentRoute: under,
	path: "schedules",
	component: lazyRouteComponent(() => import("./pages/schedules"), "SchedulesPage"),
});
const media = createRoute({
	getParentRoute: under,
	path: "media",
	component: lazyRouteComponent(() => import("./pages/media"), "MediaPage"),
});
const keys = createRoute({
	getParentRoute: under,
	path: "keys",
	validateSearch: texts("open"),
	component: lazyRouteComponent(() => import("./pages/keys"), "KeysPage"),
});
const requests = createRoute({
	getParentRoute: under,
	path: "requests",
	validateSearch: texts("model", "owner", "endpoint", "status", "outcome", "account_id", "request_id", "view", "open"),
	component: lazyRouteComponent(() => import("./pages/requests"), "RequestsPage"),
});
const playground = createRoute({
	getParentRoute: under,
	path: "playground",
	validateSearch: texts("mode", "model"),
	component: lazyRouteComponent(() => import("./pages/playground"), "PlaygroundPage"),
});
const settings = createRoute({
	getParentRoute: under,
	path: "settings",
	validateSearch: texts("search"),
	component: lazyRouteComponent(() => import("./pages/settings"), "SettingsPage"),
});
const audit = createRoute({
	getParentRoute: under,
	path: "audit",
	validateSearch: texts("action", "actor"),
	component: lazyRouteComponent(() => import("./pages/audit"), "AuditPage"),
});
const profile = createRoute({
	getParentRoute: under,
	path: "profile",
	component: lazyRouteComponent(() => import("./pages/profile"), "ProfilePage"),
});

const tree = root.addChildren([
	loginRoute,
	manage.addChildren([
		overview,
		setup,
		accounts,
		generations,
		jobs,
		queues,
		workers,
		schedules,
		media,
		keys,
		requests,
		playground,
		settings,
		audit,
		profile,
	]),
]);

export function makeRouter(client: QueryClient) {
	return createRouter({
		routeTree: tree,
		context: { client },
		defaultPreload: "intent",
		defaultPendingComponent: () => (
			<div className="p-6">
				<Loading />
			</div>
		),
		defaultErrorComponent: RouteError,
		// The address of the page holds texts alone: no quotes around what looks like a number.
		parseSearch: (text) => Object.fromEntries(new URLSearchParams(text)),
		stringifySearch: (search) => {
			const params = new URLSearchParams();
			for (const [name, value] of Object.entries(search))
				if (value !== undefined && value !== "") params.set(name, String(value));
			const text = params.toString();
			return text ? `?${text}` : "";
		},
	});
}

export type AppRouter = ReturnType<typeof makeRouter>;
declare module "@tanstack/react-router" {
	interface Register {
		router: AppRouter;
	}
}
