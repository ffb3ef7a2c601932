// Debian's Chromium, with an eye on everything that should not happen in a page.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const args = [
	"--no-sandbox",
	"--disable-gpu",
	"--disable-quic",
	"--no-first-run",
	"--disable-background-networking",
	"--disable-component-update",
	"--disable-sync",
];

export const launch = () => chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args });

/** A page in one language and theme; `wrong` collects what the browser complains about. */
export async function visit(browser, { lang = "en", theme = "light", width = 1280 } = {}) {
	const context = await browser.newContext({
		viewport: { width, height: width < 500 ? 844 : 800 },
		locale: "en-GB",
		reducedMotion: "reduce",
	});
	await context.addInitScript(
		([lang, theme]) => {
			localStorage.setItem("lang", lang);
			localStorage.setItem("theme", theme);
		},
		[lang, theme],
	);
	const page = await context.newPage();
	const wrong = [];
	page.on(
		"console",
		(message) => ["error", "warning"].includes(message.type()) && wrong.push(`${message.text()} (${page.url()})`),
	);
	page.on("pageerror", (error) => wrong.push(`${error.message} (${page.url()})`));
	return { context, page, wrong };
}

const words = { en: { password: "Password", login: "Log in" }, zh: { password: "密码", login: "登录" } };

export async function login(page, house, lang = "en", path = "/login") {
	await page.goto(house.url + path);
	await page.getByLabel(words[lang].password, { exact: true }).fill(house.password);
	await page.getByRole("button", { name: words[lang].login, exact: true }).click();
	await page
		.getByRole("navigation", { name: lang === "en" ? "Pages" : "页面" })
		.or(page.getByRole("button", { name: lang === "en" ? "Open the menu" : "打开菜单" }))
		.first()
		.waitFor();
}

/** The page has its figures: nothing shimmers any more. */
export async function settled(page) {
	await page.waitForLoadState("load");
	await page.getByRole("heading", { level: 1 }).first().waitFor();
	await page.waitForFunction(() => document.querySelectorAll(".shimmer").length === 0);
}

export async function accessible(page, name) {
	await page.evaluate(axeSource);
	const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
	const told = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 160)).join(" | ")}`);
	assert.deepEqual(told, [], name);
}
