import { X } from "lucide-react";
import { type FormEvent, type ReactNode, useEffect, useId, useRef, useState } from "react";
import { t } from "../i18n";
import { Button, IconButton } from "./button";
import { TextField } from "./field";

type Props = {
	title: ReactNode;
	onClose: () => void;
	children: ReactNode;
	footer?: ReactNode;
	side?: boolean;
	wide?: boolean;
};

/** The browser's own modal dialog: it keeps the focus, closes on Escape, and gives the focus back. `side` makes a drawer. */
export function Dialog({ title, onClose, children, footer, side, wide }: Props) {
	const ref = useRef<HTMLDialogElement>(null);
	const id = useId();
	useEffect(() => {
		const dialog = ref.current;
		const before = document.activeElement;
		if (dialog && !dialog.open) dialog.showModal();
		return () => {
			dialog?.close();
			if (before instanceof HTMLElement) before.focus();
		};
	}, []);
	const shape = side
		? "ml-auto! mr-0! my-0! h-dvh w-[min(34rem,100vw)] border-l [animation:slide_.18s_ease-out]"
		: `rounded-lg border [animation:rise_.16s_ease-out]`;
	const size = side ? "h-dvh" : "max-h-[calc(100dvh-3rem)]";
	return (
		<dialog
			ref={ref}
			aria-labelledby={id}
			onCancel={(event) => {
				event.preventDefault();
				onClose();
			}}
			onClick={(event) => event.target === ref.current && onClose()}
			className={`bg-surface p-0 shadow-pop ${shape} ${wide && !side ? "w-[min(52rem,calc(100vw-1.5rem))]" : side ? "" : "w-[min(30rem,calc(100vw-1.5rem))]"}`}
		>
			<div className={`flex flex-col ${size}`}>
				<header className="flex min-h-13 items-center justify-between gap-3 border-b py-2 pr-2.5 pl-5">
					<h2 id={id} className="min-w-0 text-lg font-semibold">
						{title}
					</h2>
					<IconButton label={t("ui.close")} onClick={onClose}>
						<X size={17} aria-hidden />
					</IconButton>
				</header>
				<div className="thin-scroll min-h-0 flex-1 overflow-y-auto px-5 py-4">{children}</div>
				{footer && <footer className="flex flex-wrap justify-end gap-2 border-t bg-bg px-5 py-3">{footer}</footer>}
			</div>
		</dialog>
	);
}

/** Asks before something is done; with `typed`, the word has to be typed first. */
export function Confirm(props: {
	title: string;
	children: ReactNode;
	action: string;
	typed?: string;
	danger?: boolean;
	busy?: boolean;
	onClose: () => void;
	onConfirm: () => void;
}) {
	const [text, setText] = useState("");
	const ready = !props.typed || text.trim() === props.typed;
	const submit = (event: FormEvent) => {
		event.preventDefault();
		if (ready) props.onConfirm();
	};
	return (
		<Dialog title={props.title} onClose={props.onClose}>
			<form onSubmit={submit} className="grid gap-4">
				<div className="grid gap-2">{props.children}</div>
				{props.typed && (
					<TextField
						label={t("ui.typeToConfirm", { word: props.typed })}
						value={text}
						onChange={(event) => setText(event.target.value)}
						autoComplete="off"
					/>
				)}
				<div className="flex justify-end gap-2">
					<Button onClick={props.onClose}>{t("ui.cancel")}</Button>
					<Button type="submit" kind={props.danger ? "danger" : "primary"} disabled={!ready} busy={props.busy}>
						{props.action}
					</Button>
				</div>
			</form>
		</Dialog>
	);
}
