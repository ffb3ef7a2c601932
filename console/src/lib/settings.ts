import { api } from "../api/client";
import { has } from "../api/has";
import { settingDocs } from "../api/offered";
import type { SeedSettings, Setting, SettingList } from "../api/types";

const isListed = has("GET /api/settings/list");

/** The settings in one shape, also where the gateway has only the old gateway's two sections. */
export async function readSettings(): Promise<SettingList> {
	if (isListed) return api.get<SettingList>("/api/settings/list");
	const { data } = await api.get<{ data: SeedSettings }>("/api/settings");
	const rows = (["global", "grok"] as const).flatMap((section) =>
		Object.entries(data[section] ?? {}).map(([key, value]): Setting => {
			const name = `${section}.${key}`;
			return {
				key: name,
				section,
				value,
				default: undefined,
				source: "unknown",
				secret: /password|api_key|clearance|statsig/.test(key),
				doc: settingDocs[name] ?? "",
				choices: name === "global.image_mode" ? ["url", "base64"] : null,
				kind: typeof value === "boolean" ? "flag" : typeof value === "number" ? "whole" : "text",
			};
		}),
	);
	return { version: 0, data: rows };
}

/** Stores all changes or none. */
export async function writeSettings(
	version: SettingList["version"],
	changes: Record<string, unknown>,
): Promise<SettingList> {
	if (isListed) return api.patch<SettingList>("/api/settings/list", { version, changes });
	const body: Record<string, Record<string, unknown>> = {};
	for (const [name, value] of Object.entries(changes)) {
		const [section = "", key = ""] = name.split(".");
		const part = `${section}_config`;
		body[part] = { ...body[part], [key]: value };
	}
	await api.post("/api/settings", body);
	return readSettings();
}
