import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";

export function Page({
	title,
	about,
	actions,
	children,
}: {
	title: string;
	about?: ReactNode;
	actions?: ReactNode;
	children: ReactNode;
}) {
	return (
		<div className="mx-auto grid max-w-[90rem] gap-4 px-4 py-5 sm:px-6">
			<div className="flex flex-wrap items-end justify-between gap-x-6 gap-y-3">
				<div className="min-w-0">
					<h1 className="text-xl font-semibold tracking-tight">{title}</h1>
					{about && <p className="mt-0.5 max-w-2xl text-muted">{about}</p>}
				</div>
				{actions && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
			</div>
			{children}
		</div>
	);
}

/** Pages beside each other that are one topic. */
export function PageTabs({ label, tabs }: { label: string; tabs: { to: string; title: string }[] }) {
	return (
		<nav aria-label={label} className="thin-scroll flex gap-1 overflow-x-auto border-b">
			{tabs.map((tab) => (
				<Link
					key={tab.to}
					to={tab.to}
					activeOptions={{ exact: true, includeSearch: false }}
					className="-mb-px border-b-2 border-transparent px-3 py-2 whitespace-nowrap text-muted hover:text-ink [&.active]:border-accent [&.active]:font-medium [&.active]:text-ink"
				>
					{tab.title}
				</Link>
			))}
		</nav>
	);
}

/** Choices of which one holds, as in ranges and views. */
export function Segments<T extends string>({
	label,
	value,
	options,
	onChange,
}: {
	label: string;
	value: T;
	options: { value: T; label: string }[];
	onChange: (value: T) => void;
}) {
	return (
		<div role="group" aria-label={label} className="inline-flex max-w-full flex-wrap rounded-md border bg-sunken p-0.5">
			{options.map((option) => (
				<button
					key={option.value}
					type="button"
					aria-pressed={option.value === value}
					onClick={() => onChange(option.value)}
					className={`rounded px-2.5 py-1 text-sm whitespace-nowrap ${option.value === value ? "bg-surface font-medium shadow-card" : "text-muted hover:text-ink"}`}
				>
					{option.label}
				</button>
			))}
		</div>
	);
}
