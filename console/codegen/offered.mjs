// Writes what the document offers, and what it says about settings, for the pages that depend on it.
import { readFileSync, writeFileSync } from "node:fs";

const { paths, components } = JSON.parse(readFileSync(new URL("../../docs/openapi.json", import.meta.url), "utf8"));
const schemas = components.schemas;
const operations = Object.entries(paths).flatMap(([path, methods]) =>
	Object.entries(methods).flatMap(([method, { parameters = [] }]) => {
		const name = `${method.toUpperCase()} ${path}`;
		return [name, ...parameters.filter((parameter) => parameter.in === "query").map((parameter) => `${name}?${parameter.name}`)];
	}),
);
const members = ["KeyTerms", "ImportAccounts", "AccountSummary", "RequestRow"].flatMap((name) => Object.keys(schemas[name]?.properties ?? {}).map((member) => `${name}.${member}`));
const docs = Object.fromEntries(
	[
		["global", "GlobalSection"],
		["grok", "GrokSection"],
	].flatMap(([section, schema]) => Object.entries(schemas[schema]?.properties ?? {}).map(([key, { description = "" }]) => [`${section}.${key}`, description])),
);
const about = "// Made by `npm run generate` from docs/openapi.json: not to be changed by hand.\n";
const json = (value) => JSON.stringify(value, null, "\t");
writeFileSync(
	new URL("../src/api/offered.ts", import.meta.url),
	`${about}export const offered: ReadonlySet<string> = new Set(${json([...operations, ...members].filter((name) => !name.includes(" /v1")))});\n\nexport const settingDocs: Record<string, string> = ${json(docs)};\n`,
);
