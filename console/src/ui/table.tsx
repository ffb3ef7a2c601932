import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown, ArrowUp } from "lucide-react";
import { type KeyboardEvent, type ReactNode, useEffect, useRef, useState } from "react";
import { t } from "../i18n";
import { Skeleton } from "./states";

export type Column<T> = {
	key: string;
	title: string;
	/** As in `grid-template-columns`. */
	width: string;
	cell: (row: T) => ReactNode;
	right?: boolean;
	sort?: string;
};
type Props<T> = {
	label: string;
	columns: Column<T>[];
	rows: T[];
	total?: number;
	id: (row: T) => string;
	onOpen?: (row: T) => void;
	loading?: boolean;
	more?: () => void;
	loadingMore?: boolean;
	sort?: string;
	order?: "asc" | "desc";
	onSort?: (sort: string, order: "asc" | "desc") => void;
	selected?: Set<string>;
	onSelect?: (ids: Set<string>) => void;
	empty?: ReactNode;
	minWidth?: number;
	rowHeight?: number;
	height?: string;
};

/** Rows of any number: only those in sight are in the page. Arrows or j/k walk, x selects, Enter opens. */
export function RowTable<T>(props: Props<T>) {
	const { rows, columns, rowHeight = 44 } = props;
	const scroller = useRef<HTMLDivElement>(null);
	const [at, setAt] = useState(-1);
	const virtual = useVirtualizer({
		count: rows.length,
		getScrollElement: () => scroller.current,
		estimateSize: () => rowHeight,
		overscan: 12,
	});
	const items = virtual.getVirtualItems();
	const lastSeen = items.at(-1)?.index ?? 0;
	useEffect(() => {
		if (rows.length > 0 && lastSeen > rows.length - 60) props.more?.();
	}, [lastSeen, rows.length]);

	const template = `${props.selected ? "2.25rem " : ""}${columns.map((column) => column.width).join(" ")}`;
	const grid = { gridTemplateColumns: template };
	const toggle = (id: string) => {
		const next = new Set(props.selected);
		if (!next.delete(id)) next.add(id);
		props.onSelect?.(next);
	};
	const move = (to: number) => {
		const next = Math.max(0, Math.min(rows.length - 1, to));
		setAt(next);
		virtual.scrollToIndex(next);
	};
	const keys = (event: KeyboardEvent) => {
		if (event.target !== scroller.current) return;
		const row = rows[at];
		const known: Record<string, () => void> = {
			ArrowDown: () => move(at + 1),
			j: () => move(at + 1),
			ArrowUp: () => move(at - 1),
			k: () => move(at - 1),
			Home: () => move(0),
			End: () => move(rows.length - 1),
			Enter: () => row && props.onOpen?.(row),
			x: () => row && props.selected && toggle(props.id(row)),
		};
		const act = event.ctrlKey || event.metaKey ? undefined : known[event.key];
		if (act) {
			event.preventDefault();
			act();
		}
	};
	const all = rows.length > 0 && rows.every((row) => props.selected?.has(props.id(row)));

	if (!props.loading && rows.length === 0 && props.empty)
		return <div className="rounded-lg border bg-surface shadow-card">{props.empty}</div>;
	return (
		<div
			ref={scroller}
			tabIndex={0}
			onKeyDown={keys}
			className="thin-scroll overflow-auto rounded-lg border bg-surface shadow-card"
			style={{ maxHeight: props.height ?? "calc(100dvh - 13.5rem)" }}
			role="region"
			aria-label={props.label}
		>
			<div
				role="table"
				aria-label={props.label}
				aria-rowcount={(props.total ?? rows.length) + 1}
				style={{ minWidth: props.minWidth ?? 640 }}
			>
				<div role="rowgroup" className="sticky top-0 z-10 border-b bg-surface">
					<div
						role="row"
						aria-rowindex={1}
						className="grid h-9 items-center px-3 text-xs font-medium text-muted"
						style={grid}
					>
						{props.selected && (
							<div role="columnheader" className="flex">
								<input
									type="checkbox"
									className="size-4 accent-(--accent)"
									aria-label={t("ui.selectAll")}
									checked={all}
									onChange={() => props.onSelect?.(all ? new Set() : new Set(rows.map(props.id)))}
								/>
							</div>
						)}
						{columns.map((column) => (
							<Head
								key={column.key}
								column={column as Column<unknown>}
								sort={props.sort}
								order={props.order}
								onSort={props.onSort}
							/>
						))}
					</div>
				</div>
				<div
					role="rowgroup"
					className="relative"
					style={{ height: props.loading ? rowHeight * 8 : virtual.getTotalSize() }}
				>
					{props.loading &&
						Array.from({ length: 8 }, (_, row) => (
							<div key={row} role="row" className="grid items-center border-b px-3" style={{ height: rowHeight }}>
								<div role="cell">
									<Skeleton className={row % 3 ? "h-4 w-3/4" : "h-4 w-5/6"} />
								</div>
							</div>
						))}
					{!props.loading &&
						items.map((item) => {
							const row = rows[item.index];
							if (row === undefined) return null;
							const id = props.id(row);
							const isSelected = props.selected?.has(id);
							const look = isSelected ? "bg-accent-soft" : item.index === at ? "bg-sunken" : "hover:bg-sunken/60";
							return (
								<div
									key={id}
									role="row"
									aria-rowindex={item.index + 2}
									aria-selected={props.selected ? isSelected : undefined}
									className={`absolute inset-x-0 top-0 grid items-center border-b px-3 ${props.onOpen ? "cursor-pointer" : ""} ${look}`}
									style={{ ...grid, height: rowHeight, transform: `translateY(${item.start}px)` }}
									onClick={(event) => {
										if ((event.target as HTMLElement).closest("button,a,input,label")) return;
										setAt(item.index);
										props.onOpen?.(row);
									}}
								>
									{props.selected && (
										<div role="cell" className="flex">
											<input
												type="checkbox"
												className="size-4 accent-(--accent)"
												aria-label={t("ui.selectRow", { id })}
												checked={Boolean(isSelected)}
												onChange={() => toggle(id)}
											/>
										</div>
									)}
									{columns.map((column, index) => (
										<div
											key={column.key}
											role="cell"
											className={`min-w-0 truncate pr-3 ${column.right ? "text-right" : ""}`}
										>
											{index === 0 && props.onOpen ? (
												<button
													type="button"
													className="max-w-full truncate text-left hover:underline"
													onClick={() => props.onOpen?.(row)}
												>
													{column.cell(row)}
												</button>
											) : (
												column.cell(row)
											)}
										</div>
									))}
								</div>
							);
						})}
				</div>
			</div>
			{props.loadingMore && <div className="p-3 text-center text-xs text-muted">{t("ui.loading")}</div>}
		</div>
	);
}

function Head({
	column,
	sort,
	order,
	onSort,
}: {
	column: Column<unknown>;
	sort?: string;
	order?: "asc" | "desc";
	onSort?: (sort: string, order: "asc" | "desc") => void;
}) {
	const side = column.right ? "justify-end text-right" : "";
	if (!column.sort || !onSort) {
		return (
			<div role="columnheader" className={`flex truncate pr-3 ${side}`}>
				{column.title}
			</div>
		);
	}
	const isOn = sort === column.sort;
	const name = column.sort;
	return (
		<div
			role="columnheader"
			aria-sort={isOn ? (order === "asc" ? "ascending" : "descending") : "none"}
			className={`flex pr-3 ${side}`}
		>
			<button
				type="button"
				className={`inline-flex items-center gap-1 hover:text-ink ${isOn ? "text-ink" : ""}`}
				onClick={() => onSort(name, isOn && order === "desc" ? "asc" : "desc")}
			>
				{column.title}
				{isOn && (order === "asc" ? <ArrowUp size={12} aria-hidden /> : <ArrowDown size={12} aria-hidden />)}
			</button>
		</div>
	);
}
