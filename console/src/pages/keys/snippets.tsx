import { useState } from "react";
import { t } from "../../i18n";
import { Code } from "../../ui/bits";
import { Segments } from "../../ui/page";

export type Call = { path: string; body: unknown };
const kinds = ["curl", "Python", "JavaScript"] as const;
type Kind = (typeof kinds)[number];
const hello: Call = {
	path: "/v1/chat/completions",
	body: { model: "grok-4-fast", messages: [{ role: "user", content: "Hello!" }] },
};

/** A call as text that does the same elsewhere. */
export function asCode(kind: Kind, base: string, key: string, { path, body }: Call): string {
	const json = JSON.stringify(body, null, 2);
	if (kind === "curl")
		return `curl ${base}${path} \\\n  -H "Authorization: Bearer ${key}" \\\n  -H "Content-Type: application/json" \\\n  -d '${json.replace(/'/g, "'\\''")}'`;
	if (kind === "Python") {
		const python = json
			.replace(/\btrue\b(?=,?\n)/g, "True")
			.replace(/\bfalse\b(?=,?\n)/g, "False")
			.replace(/\bnull\b(?=,?\n)/g, "None");
		return `import httpx\n\nanswer = httpx.post(\n    "${base}${path}",\n    headers={"Authorization": "Bearer ${key}"},\n    json=${python.replace(/\n/g, "\n    ")},\n    timeout=120,\n)\nprint(answer.text)`;
	}
	return `const answer = await fetch("${base}${path}", {\n  method: "POST",\n  headers: { Authorization: "Bearer ${key}", "Content-Type": "application/json" },\n  body: JSON.stringify(${json.replace(/\n/g, "\n  ")}),\n});\nconsole.log(await answer.text());`;
}

export function Snippets({ apiKey, call = hello }: { apiKey: string; call?: Call }) {
	const [kind, setKind] = useState<Kind>("curl");
	return (
		<div className="grid gap-2">
			<Segments
				label={t("keys.snippets")}
				value={kind}
				options={kinds.map((value) => ({ value, label: value }))}
				onChange={setKind}
			/>
			<Code text={asCode(kind, window.location.origin, apiKey, call)} label={kind} />
		</div>
	);
}
