import { Table2 } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import uPlot from "uplot";
import { t } from "../i18n";
import { dateTime, shortClock } from "../lib/format";
import { useShade } from "../lib/theme";
import { Card } from "./bits";
import { IconButton } from "./button";

export type Line = { key: string; title: string; colour: string; area?: boolean; dash?: boolean };
type Point = { at_ms: number } & Record<string, number | null>;
type Props = { title: string; points: Point[]; lines: Line[]; format: (value: number | null) => string };

const css = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Points without neighbours, which no line would show. */
const lonely: uPlot.Series.Points.Filter = (self, series) => {
	const values = self.data[series] ?? [];
	return Array.from(values.keys()).filter(
		(at) => values[at] != null && values[at - 1] == null && values[at + 1] == null,
	);
};

/** Lines over time. All plots of a page share the cursor; the same figures are there as a table. */
export function Plot({ title, points, lines, format }: Props) {
	const box = useRef<HTMLDivElement>(null);
	const plot = useRef<uPlot | null>(null);
	const [at, setAt] = useState<number | null>(null);
	const [asTable, setAsTable] = useState(false);
	const shade = useShade();
	const data = [
		points.map((point) => point.at_ms / 1000),
		...lines.map((line) => points.map((point) => point[line.key] ?? null)),
	] as uPlot.AlignedData;
	const latest = useRef(data);
	latest.current = data;

	useEffect(() => {
		const parent = box.current;
		if (!parent || asTable) return;
		const axis = {
			stroke: css("--muted"),
			grid: { stroke: css("--line"), width: 1 },
			ticks: { show: false },
			font: `11px ${css("--font-sans") || "system-ui"}`,
		};
		const made = new uPlot(
			{
				width: parent.clientWidth,
				height: 190,
				padding: [10, 8, 0, 0],
				legend: { show: false },
				cursor: { sync: { key: "page" }, points: { size: 7 }, drag: { x: false, y: false } },
				hooks: { setCursor: [(self) => setAt(self.cursor.idx ?? null)] },
				scales: { y: { range: (_self, _min, max) => [0, max > 0 ? max * 1.12 : 1] } },
				axes: [
					{
						...axis,
						size: 26,
						values: (_self, ticks) => {
							const days = (ticks.at(-1) ?? 0) - (ticks[0] ?? 0) > 2 * 86400;
							return ticks.map((secs) =>
								days
									? new Date(secs * 1000).toLocaleDateString(undefined, { month: "short", day: "numeric" })
									: shortClock(secs * 1000),
							);
						},
					},
					{ ...axis, size: 58, values: (_self, ticks) => ticks.map((value) => format(value)) },
				],
				series: [
					{},
					...lines.map((line) => ({
						label: line.title,
						stroke: css(line.colour),
						fill: line.area ? `color-mix(in srgb, ${css(line.colour)} 12%, transparent)` : undefined,
						width: 1.75,
						dash: line.dash ? [5, 4] : undefined,
						points: { show: true, size: 5, fill: css(line.colour), filter: lonely },
						spanGaps: false,
					})),
				],
			},
			latest.current,
			parent,
		);
		plot.current = made;
		const resized = new ResizeObserver(() => made.setSize({ width: parent.clientWidth, height: 190 }));
		resized.observe(parent);
		return () => {
			resized.disconnect();
			made.destroy();
			plot.current = null;
		};
	}, [shade, asTable, lines.map((line) => line.key).join()]);

	useEffect(() => {
		plot.current?.setData(latest.current);
	}, [points]);

	const shown = at === null ? points.at(-1) : points[at];
	return (
		<Card
			title={title}
			aside={
				<IconButton
					label={asTable ? t("plot.asPlot", { title }) : t("plot.asTable", { title })}
					aria-pressed={asTable}
					onClick={() => setAsTable(!asTable)}
					className="-my-1"
				>
					<Table2 size={15} aria-hidden />
				</IconButton>
			}
		>
			<div className="mb-2 flex flex-wrap gap-x-4 gap-y-1 text-xs">
				{lines.map((line) => (
					<span key={line.key} className="inline-flex items-center gap-1.5">
						<span aria-hidden className="h-0.5 w-3 rounded-full" style={{ background: `var(${line.colour})` }} />
						<span className="text-muted">{line.title}</span>
						<span className="font-medium">{format(shown?.[line.key] ?? null)}</span>
					</span>
				))}
				<span className="ml-auto text-muted">{shown && at !== null ? dateTime(shown.at_ms) : ""}</span>
			</div>
			{asTable ? (
				<div className="thin-scroll max-h-48 overflow-auto" role="region" aria-label={title} tabIndex={0}>
					<table className="w-full text-xs">
						<thead>
							<tr className="text-left text-muted">
								<th className="py-1 font-medium">{t("ui.time")}</th>
								{lines.map((line) => (
									<th key={line.key} className="py-1 text-right font-medium">
										{line.title}
									</th>
								))}
							</tr>
						</thead>
						<tbody>
							{[...points].reverse().map((point) => (
								<tr key={point.at_ms} className="border-t">
									<td className="py-1">{dateTime(point.at_ms)}</td>
									{lines.map((line) => (
										<td key={line.key} className="py-1 text-right">
											{format(point[line.key] ?? null)}
										</td>
									))}
								</tr>
							))}
						</tbody>
					</table>
				</div>
			) : (
				<div ref={box} aria-hidden className="h-[190px] w-full" />
			)}
		</Card>
	);
}
