import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { Readiness } from "../api/types";
import { t } from "../i18n";
import { useLive } from "../lib/live";
import { Dot } from "../ui/bits";

/** `/readyz` answers 503 with a body when something is wrong: that is an answer too. */
export const readyQuery = {
	queryKey: ["ready"],
	queryFn: async () => (await (await fetch("/readyz")).json()) as Readiness,
	refetchInterval: 15_000,
};

export function Health() {
	const { data, isError } = useQuery(readyQuery);
	const { connected } = useLive();
	const status = isError ? "away" : (data?.status ?? "unknown");
	const tone = status === "ready" ? "ok" : status === "degraded" ? "warn" : status === "unknown" ? "plain" : "bad";
	const known = {
		ready: "health.ready",
		degraded: "health.degraded",
		unready: "health.unready",
		away: "health.away",
		unknown: "health.unknown",
	} as const;
	const text = t(known[status as keyof typeof known] ?? "health.unknown");
	return (
		<Link
			to="/manage"
			title={connected ? t("health.live") : t("health.notLive")}
			className="flex h-8 items-center gap-2 rounded-md px-2 text-muted hover:bg-sunken hover:text-ink"
		>
			<Dot tone={tone} pulse={connected && tone === "ok"} />
			<span className="max-sm:sr-only">{text}</span>
		</Link>
	);
}
