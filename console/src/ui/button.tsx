import type { ButtonHTMLAttributes, ReactNode } from "react";

type Props = ButtonHTMLAttributes<HTMLButtonElement> & {
	kind?: "primary" | "plain" | "quiet" | "danger";
	size?: "sm" | "md";
	icon?: ReactNode;
	busy?: boolean;
};

const kinds = {
	primary: "bg-accent text-on-accent border-transparent hover:opacity-90",
	plain: "bg-surface text-ink border-strong hover:bg-sunken",
	quiet: "bg-transparent text-ink border-transparent hover:bg-sunken",
	danger: "bg-surface text-bad border-strong hover:bg-bad-soft hover:border-bad",
};

export function Button({
	kind = "plain",
	size = "md",
	icon,
	busy,
	children,
	className = "",
	type,
	disabled,
	...rest
}: Props) {
	const sizes = size === "sm" ? "h-7 px-2.5 text-sm gap-1.5" : "h-[2.125rem] px-3 gap-2";
	return (
		<button
			type={type ?? "button"}
			disabled={disabled || busy}
			aria-busy={busy || undefined}
			className={`inline-flex shrink-0 items-center justify-center rounded-md border font-medium whitespace-nowrap transition-colors disabled:opacity-50 ${sizes} ${kinds[kind]} ${className}`}
			{...rest}
		>
			{icon}
			{children}
		</button>
	);
}

/** A button that is only an icon; its label is for those who hear it. */
export function IconButton({
	label,
	children,
	className = "",
	...rest
}: Omit<Props, "kind" | "size" | "icon"> & { label: string }) {
	return (
		<button
			type="button"
			aria-label={label}
			title={label}
			className={`inline-flex size-8 shrink-0 items-center justify-center rounded-md text-muted transition-colors hover:bg-sunken hover:text-ink disabled:opacity-50 ${className}`}
			{...rest}
		>
			{children}
		</button>
	);
}
