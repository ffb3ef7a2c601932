import type { Budget } from "../../api/types";
import { t, word } from "../../i18n";
import { number, span } from "../../lib/format";
import { Progress } from "../../ui/bits";

const left = (budget: Budget) => (budget.total ? ((budget.remaining ?? budget.total) / budget.total) * 100 : 100);
const isCooling = (budget: Budget, now: number) => (budget.cooling_until_ms ?? 0) > now;

/** The scarcest budget as a bar, and when it comes back. */
export function Quota({ budgets, now }: { budgets: Budget[]; now: number }) {
	const scarce = [...budgets].sort((a, b) => left(a) - left(b))[0];
	if (!scarce) return <span className="text-xs text-muted">{t("accounts.notRead")}</span>;
	return <QuotaLine budget={scarce} now={now} />;
}

export function QuotaLine({ budget, now }: { budget: Budget; now: number }) {
	const part = left(budget);
	const back = isCooling(budget, now) ? budget.cooling_until_ms : budget.reset_at_ms;
	const tone = part <= 0 ? "bad" : part < 20 ? "warn" : isCooling(budget, now) ? "info" : "ok";
	return (
		<span className="grid grid-cols-[minmax(0,1fr)] gap-1">
			<span className="flex justify-between gap-2 text-2xs text-muted">
				<span className="truncate">
					{budget.name} <span className="text-ink">{budget.remaining == null ? "?" : number(budget.remaining)}</span>
					{budget.total != null && ` / ${number(budget.total)}`}
					{budget.source === "estimated" && ` ${word("estimated")}`}
				</span>
				{back != null && back > now && (
					<span className="shrink-0">{t("accounts.backIn", { time: span((back - now) / 1000) })}</span>
				)}
			</span>
			<Progress label={budget.name} value={part} tone={tone} />
		</span>
	);
}
