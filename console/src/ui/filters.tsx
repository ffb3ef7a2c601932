import { X } from "lucide-react";
import { useEffect, useState } from "react";
import { t } from "../i18n";
import { useRested } from "../lib/hooks";
import { Button } from "./button";

type Choice = { name: string; label: string; options: { value: string; label: string }[] };
type Props = {
	search?: { name: string; label: string };
	choices: Choice[];
	texts?: { name: string; label: string }[];
	value: Record<string, string | undefined>;
	onChange: (value: Record<string, string | undefined>) => void;
};

/** What a list is narrowed by; it is all in the address. */
export function Filters({ search, choices, texts = [], value, onChange }: Props) {
	const names = [search?.name, ...choices.map((choice) => choice.name), ...texts.map((text) => text.name)].filter(
		(name) => name !== undefined,
	);
	const isOn = names.some((name) => value[name]);
	const set = (name: string, to: string) => onChange({ ...value, [name]: to || undefined });
	return (
		<search className="flex flex-wrap items-center gap-2">
			{search && (
				<Rested
					key="search"
					isMain
					label={search.label}
					value={value[search.name] ?? ""}
					onChange={(to) => set(search.name, to)}
				/>
			)}
			{choices.map((choice) => (
				<select
					key={choice.name}
					aria-label={choice.label}
					className={`field w-auto! max-w-44 pr-7! ${value[choice.name] ? "border-accent! font-medium" : ""}`}
					value={value[choice.name] ?? ""}
					onChange={(event) => set(choice.name, event.target.value)}
				>
					<option value="">{choice.label}</option>
					{choice.options.map((option) => (
						<option key={option.value} value={option.value}>
							{option.label}
						</option>
					))}
				</select>
			))}
			{texts.map((text) => (
				<Rested
					key={text.name}
					label={text.label}
					value={value[text.name] ?? ""}
					onChange={(to) => set(text.name, to)}
				/>
			))}
			{isOn && (
				<Button
					kind="quiet"
					icon={<X size={14} aria-hidden />}
					onClick={() => onChange({ ...value, ...Object.fromEntries(names.map((name) => [name, undefined])) })}
				>
					{t("ui.clearFilters")}
				</Button>
			)}
		</search>
	);
}

/** Tells a text when it has rested, and follows the address when that changes by other means. */
function Rested({
	label,
	value,
	onChange,
	isMain,
}: {
	label: string;
	value: string;
	onChange: (value: string) => void;
	isMain?: boolean;
}) {
	const [text, setText] = useState(value);
	const rested = useRested(text);
	useEffect(() => setText(value), [value]);
	useEffect(() => {
		if (rested !== value && rested === text) onChange(rested);
	}, [rested]);
	return (
		<input
			type="search"
			aria-label={label}
			placeholder={label}
			maxLength={64}
			className={isMain ? "field w-64! max-w-full" : "field w-40!"}
			value={text}
			data-filter={isMain || undefined}
			onChange={(event) => setText(event.target.value)}
		/>
	);
}
