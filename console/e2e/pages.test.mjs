// Every page, in both languages and themes, wide and narrow: no complaint by the browser, none by axe.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { after, before, test } from "node:test";
import { accessible, launch, login, settled, visit } from "./browser.mjs";
import { openHouse } from "./house.mjs";
import { seed } from "./seed.mjs";

const shots = new URL("../../docs/screenshots/", import.meta.url).pathname;
const keeps = process.env.SCREENSHOTS === "1";
let house;
let browser;
let account;

before(async () => {
	[house, browser] = await Promise.all([openHouse({ accounts: 40 }), launch()]);
	const { admin } = await seed(house);
	account = (await admin("GET", "/api/accounts?search=rack")).data[0].id;
});
after(async () => {
	await browser?.close();
	await house?.close();
});

const pages = () => ({
	overview: "/manage",
	accounts: "/manage/accounts",
	account: `/manage/accounts?open=${account}`,
	import: "/manage/accounts?import=1",
	requests: "/manage/requests",
	keys: "/manage/keys",
	"key-new": "/manage/keys?open=new",
	generations: "/manage/generations",
	jobs: "/manage/jobs",
	queues: "/manage/queues",
	workers: "/manage/workers",
	schedules: "/manage/schedules",
	media: "/manage/media",
	settings: "/manage/settings",
	audit: "/manage/audit",
	playground: "/manage/playground",
	setup: "/manage/setup",
	profile: "/manage/profile",
});

for (const lang of ["en", "zh"]) {
	for (const theme of ["light", "dark"]) {
		for (const width of [1280, 390]) {
			test(`every page in ${lang}, ${theme}, ${width}`, async () => {
				const { context, page, wrong } = await visit(browser, { lang, theme, width });
				const keep = async (name) => {
					const wanted =
						(lang === "en" && theme === "light" && width === 1280) ||
						(lang === "zh" && theme === "dark" && width === 390) ||
						(name === "overview" && theme === "dark");
					if (!keeps || !wanted) return;
					mkdirSync(shots, { recursive: true });
					await page.screenshot({ path: `${shots}${name}-${lang}-${theme}-${width}.png`, scale: "css" });
				};
				await page.goto(`${house.url}/login`);
				await settled(page);
				await accessible(page, "login");
				await keep("login");
				// The browser itself notes the answer that sends a stranger to the login.
				wrong.splice(0, wrong.length, ...wrong.filter((text) => !text.includes("401")));
				await login(page, house, lang);
				for (const [name, path] of Object.entries(pages())) {
					await page.goto(house.url + path);
					await settled(page);
					const scrolls = await page.evaluate(
						() => document.documentElement.scrollWidth > document.documentElement.clientWidth,
					);
					assert.equal(scrolls, false, `${name} is wider than the window`);
					await accessible(page, name);
					await keep(name);
				}
				assert.equal(await page.evaluate(() => globalThis.broken), undefined);
				assert.deepEqual(wrong, []);
				await context.close();
			});
		}
	}
}
