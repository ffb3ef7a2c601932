import { Send, Square } from "lucide-react";
import { type FormEvent, type KeyboardEvent, useEffect, useRef, useState } from "react";
import { failure } from "../../api/client";
import { t } from "../../i18n";
import { duration, number } from "../../lib/format";
import { sseParser } from "../../lib/sse";
import { Button } from "../../ui/button";
import { ErrorBox } from "../../ui/states";
import type { Shared } from "../playground";
import { call } from "./key";

type Message = { role: "user" | "assistant"; content: string; thought?: string };
type Chunk = {
	choices?: { delta?: { content?: string; reasoning_content?: string } }[];
	usage?: { prompt_tokens: number; completion_tokens: number };
	error?: { message: string };
};

export function Chat({ model, onRaw, onCall }: Shared) {
	const [messages, setMessages] = useState<Message[]>([]);
	const [text, setText] = useState("");
	const [error, setError] = useState<unknown>(null);
	const [busy, setBusy] = useState(false);
	const [facts, setFacts] = useState<{ first: number | null; total: number; tokens: number | null } | null>(null);
	const stop = useRef<AbortController | null>(null);
	const end = useRef<HTMLDivElement>(null);
	useEffect(() => () => stop.current?.abort(), []);
	useEffect(() => {
		end.current?.scrollIntoView({ block: "nearest" });
	}, [messages]);

	const send = async (event?: FormEvent) => {
		event?.preventDefault();
		const content = text.trim();
		if (!content || busy || !model) return;
		const history: Message[] = [...messages, { role: "user", content }];
		const body = {
			model,
			stream: true,
			stream_options: { include_usage: true },
			messages: history.map(({ role, content }) => ({ role, content })),
		};
		const answer: Message = { role: "assistant", content: "", thought: "" };
		setMessages([...history, { ...answer }]);
		setText("");
		setError(null);
		setBusy(true);
		setFacts(null);
		onCall({ path: "/v1/chat/completions", body });
		const abort = new AbortController();
		stop.current = abort;
		const began = performance.now();
		let first: number | null = null;
		let tokens: number | null = null;
		try {
			const response = await call("/v1/chat/completions", body, abort.signal);
			if (!response.ok || !response.body) throw await failure(response);
			const feed = sseParser(({ data }) => {
				onRaw(`data: ${data}`);
				if (data === "[DONE]") return;
				const chunk = JSON.parse(data) as Chunk;
				if (chunk.error) throw new Error(chunk.error.message);
				first ??= performance.now() - began;
				const delta = chunk.choices?.[0]?.delta;
				answer.content += delta?.content ?? "";
				answer.thought += delta?.reasoning_content ?? "";
				if (chunk.usage) tokens = chunk.usage.completion_tokens;
				setMessages([...history, { ...answer }]);
			});
			const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
			for (;;) {
				const { done, value } = await reader.read();
				if (done) break;
				feed(value);
			}
			setFacts({ first, total: performance.now() - began, tokens });
		} catch (failed) {
			if (!abort.signal.aborted) setError(failed);
		} finally {
			setBusy(false);
			stop.current = null;
		}
	};
	const keys = (event: KeyboardEvent) => {
		if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
			event.preventDefault();
			void send();
		}
	};
	return (
		<div className="flex h-[calc(100dvh-14rem)] min-h-96 flex-col rounded-lg border bg-surface shadow-card">
			<div className="thin-scroll flex-1 overflow-y-auto p-4" role="log" aria-label={t("play.chat")} tabIndex={0}>
				{messages.length === 0 && (
					<p className="grid h-full place-items-center text-center text-muted">{t("play.chatEmpty")}</p>
				)}
				<div className="mx-auto grid max-w-3xl gap-4">
					{messages.map((message, at) =>
						message.role === "user" ? (
							<p
								key={at}
								className="max-w-[85%] justify-self-end rounded-lg bg-accent-soft px-3.5 py-2 whitespace-pre-wrap"
							>
								{message.content}
							</p>
						) : (
							<div key={at} className="grid gap-2">
								{message.thought && (
									<details
										className="rounded-md border bg-sunken px-3 py-2 text-sm text-muted"
										open={busy && !message.content}
									>
										<summary>{t("play.reasoning")}</summary>
										<p className="mt-2 whitespace-pre-wrap">{message.thought}</p>
									</details>
								)}
								<p className="whitespace-pre-wrap">{message.content || (busy && !message.thought ? "…" : "")}</p>
							</div>
						),
					)}
					{error ? <ErrorBox error={error} /> : null}
					{facts && (
						<p className="text-xs text-muted">
							{t("play.facts", { first: duration(facts.first), total: duration(facts.total) })}
							{facts.tokens !== null && ` · ${t("play.tokens", { n: number(facts.tokens) })}`}
						</p>
					)}
				</div>
				<div ref={end} />
			</div>
			<form onSubmit={send} className="flex items-end gap-2 border-t p-3">
				<textarea
					aria-label={t("play.message")}
					placeholder={t("play.message")}
					rows={2}
					className="field h-auto! resize-none py-2!"
					value={text}
					onChange={(event) => setText(event.target.value)}
					onKeyDown={keys}
				/>
				{busy ? (
					<Button icon={<Square size={14} aria-hidden />} onClick={() => stop.current?.abort()}>
						{t("play.stop")}
					</Button>
				) : (
					<Button type="submit" kind="primary" icon={<Send size={14} aria-hidden />} disabled={!text.trim() || !model}>
						{t("play.send")}
					</Button>
				)}
			</form>
		</div>
	);
}
