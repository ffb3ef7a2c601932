import { type ErrorComponentProps, Link } from "@tanstack/react-router";
import { Compass } from "lucide-react";
import { t } from "../i18n";
import { Empty, ErrorBox } from "../ui/states";

export function NotFound() {
	return (
		<main className="grid min-h-dvh place-items-center">
			<Empty icon={<Compass size={20} aria-hidden />} title={t("notFound.title")}>
				<Link to="/manage" className="text-accent underline">
					{t("notFound.home")}
				</Link>
			</Empty>
		</main>
	);
}

export function RouteError({ error, reset }: ErrorComponentProps) {
	return (
		<div className="mx-auto max-w-xl p-6">
			<ErrorBox error={error} retry={reset} />
		</div>
	);
}
