import {
	type InputHTMLAttributes,
	type ReactNode,
	type SelectHTMLAttributes,
	type TextareaHTMLAttributes,
	useId,
} from "react";

type Around = { label: string; hint?: ReactNode; error?: string | null; hideLabel?: boolean };

function Frame({ id, label, hint, error, hideLabel, children }: Around & { id: string; children: ReactNode }) {
	return (
		<div className="grid content-start gap-1">
			<label htmlFor={id} className={hideLabel ? "sr-only" : "text-sm font-medium"}>
				{label}
			</label>
			{children}
			{hint && !error && (
				<p id={`${id}-hint`} className="text-xs text-muted">
					{hint}
				</p>
			)}
			{error && (
				<p id={`${id}-error`} role="alert" className="text-xs text-bad">
					{error}
				</p>
			)}
		</div>
	);
}

const described = (id: string, { hint, error }: Around) => (error ? `${id}-error` : hint ? `${id}-hint` : undefined);

export function TextField({
	label,
	hint,
	error,
	hideLabel,
	className = "",
	...rest
}: Around & InputHTMLAttributes<HTMLInputElement>) {
	const id = useId();
	const around = { label, hint, error, hideLabel };
	return (
		<Frame id={id} {...around}>
			<input
				id={id}
				className={`field ${className}`}
				aria-invalid={error ? true : undefined}
				aria-describedby={described(id, around)}
				{...rest}
			/>
		</Frame>
	);
}

export function TextArea({
	label,
	hint,
	error,
	hideLabel,
	className = "",
	...rest
}: Around & TextareaHTMLAttributes<HTMLTextAreaElement>) {
	const id = useId();
	const around = { label, hint, error, hideLabel };
	return (
		<Frame id={id} {...around}>
			<textarea
				id={id}
				className={`field h-auto! min-h-16 py-1.5! ${className}`}
				aria-invalid={error ? true : undefined}
				aria-describedby={described(id, around)}
				{...rest}
			/>
		</Frame>
	);
}

export type Option = { value: string; label: string };

export function SelectField({
	label,
	hint,
	error,
	hideLabel,
	options,
	className = "",
	...rest
}: Around & SelectHTMLAttributes<HTMLSelectElement> & { options: Option[] }) {
	const id = useId();
	const around = { label, hint, error, hideLabel };
	return (
		<Frame id={id} {...around}>
			<select
				id={id}
				className={`field pr-7! ${className}`}
				aria-invalid={error ? true : undefined}
				aria-describedby={described(id, around)}
				{...rest}
			>
				{options.map((option) => (
					<option key={option.value} value={option.value}>
						{option.label}
					</option>
				))}
			</select>
		</Frame>
	);
}

export function CheckField({
	label,
	hint,
	...rest
}: { label: string; hint?: ReactNode } & InputHTMLAttributes<HTMLInputElement>) {
	const id = useId();
	return (
		<div className="flex items-start gap-2">
			<input
				id={id}
				type="checkbox"
				className="mt-0.5 size-4 accent-(--accent)"
				aria-describedby={hint ? `${id}-hint` : undefined}
				{...rest}
			/>
			<div>
				<label htmlFor={id}>{label}</label>
				{hint && (
					<p id={`${id}-hint`} className="text-xs text-muted">
						{hint}
					</p>
				)}
			</div>
		</div>
	);
}
