/** One event of a stream, as it came. */
export type SseEvent = { event: string; data: string };

/** Cuts text that arrives in pieces into events. */
export function sseParser(onEvent: (event: SseEvent) => void) {
	let rest = "";
	return (piece: string) => {
		rest += piece.replace(/\r\n/g, "\n");
		for (let end = rest.indexOf("\n\n"); end >= 0; end = rest.indexOf("\n\n")) {
			const block = rest.slice(0, end);
			rest = rest.slice(end + 2);
			let event = "message";
			const data: string[] = [];
			for (const line of block.split("\n")) {
				if (line.startsWith("event:")) event = line.slice(6).trim();
				if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
			}
			if (data.length > 0) onEvent({ event, data: data.join("\n") });
		}
	};
}
