// What an operator does, by role and name, against the real program.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { launch, login, settled, visit } from "./browser.mjs";
import { openHouse } from "./house.mjs";
import { adminOf, client } from "./seed.mjs";

let house;
let browser;
let admin;
let page;
let context;
let wrong;

before(async () => {
	[house, browser] = await Promise.all([openHouse({ accounts: 6 }), launch()]);
	admin = await adminOf(house);
});
after(async () => {
	await browser?.close();
	await house?.close();
});
beforeEach(async () => {
	({ page, context, wrong } = await visit(browser));
	await page.goto(`${house.url}/login`);
	wrong.length = 0;
	await login(page, house);
});
afterEach(async () => {
	assert.deepEqual(wrong, []);
	await context.close();
});

const button = (name) => page.getByRole("button", { name, exact: true });
const dialog = () => page.getByRole("dialog");
const open = async (path) => {
	await page.goto(house.url + path);
	await settled(page);
};

test("tokens are imported through the wizard, with a look before", async () => {
	await open("/manage/accounts");
	await button("Import accounts").click();
	await dialog().getByLabel("Tokens").fill("wizard-one\nwizard-two\nwizard-two\n");
	await dialog().getByLabel("Tags").fill("wizard");
	await dialog().getByRole("button", { name: "Preview" }).click();
	await dialog().getByRole("button", { name: "Import 2 accounts" }).click();
	await dialog().getByText("Imported", { exact: true }).waitFor();
	await dialog().locator("footer").getByRole("button", { name: "Close" }).click();
	await page.getByText("8 accounts in the pool").waitFor();
	assert.equal((await admin("GET", "/api/accounts?tag=wizard")).total, 2);
});

test("one account is tested, noted, switched off and on, and deleted", async () => {
	const { data } = await admin("GET", "/api/accounts?limit=1");
	await open(`/manage/accounts?open=${data[0].id}`);
	await dialog().getByRole("button", { name: "Test now" }).click();
	await page.getByText(/^Tested: /).waitFor();
	await dialog().getByLabel("Note").fill("by the window");
	await dialog().getByRole("button", { name: "Save" }).click();
	await dialog().getByRole("heading", { name: "by the window" }).waitFor();
	await dialog().getByRole("button", { name: "Disable" }).click();
	await dialog().getByRole("button", { name: "Enable" }).click();
	await dialog().getByRole("button", { name: "Disable" }).waitFor();
	await dialog().getByRole("button", { name: "Delete" }).click();
	await page.getByRole("dialog", { name: "Delete this account?" }).getByRole("button", { name: "Delete" }).click();
	await page.getByText("Account deleted").waitFor();
});

test("all that match are labelled, and a deletion is undone", async () => {
	await open("/manage/accounts");
	await page.getByLabel("Select all shown").check();
	await button("Tag").click();
	await dialog().getByLabel("Add tags").fill("spring");
	await dialog().getByRole("button", { name: "Tag" }).click();
	await page.getByText(/Tag accounts: /).waitFor();
	await page.getByRole("table").getByText("spring").first().waitFor();
	const { total } = await admin("GET", "/api/accounts?tag=spring");
	await page.getByLabel("Select all shown").check();
	await button("Delete").click();
	await dialog().getByRole("button", { name: "Delete" }).click();
	await button("Undo").click();
	await page.getByText("Undone: nothing was deleted").waitFor();
	assert.equal((await admin("GET", "/api/accounts?tag=spring")).total, total);
});

test("a key is made, shown once, and deleted by its name", async () => {
	await open("/manage/keys");
	await button("New key").first().click();
	await dialog().getByLabel("Name").fill("Bob");
	await dialog().getByRole("button", { name: "Make a key" }).click();
	const key = await dialog().getByRole("region", { name: "Key", exact: true }).textContent();
	assert.match(key, /^g2a_/);
	await button("I have saved it").click();
	await page.getByRole("row", { name: /Bob/ }).getByRole("button", { name: /Bob/ }).click();
	await dialog().getByRole("button", { name: "Delete" }).click();
	await page.getByLabel("Type Bob to confirm").fill("Bob");
	await page.getByRole("dialog", { name: "Delete this key?" }).getByRole("button", { name: "Delete" }).click();
	await page.getByText("Key deleted").waitFor();
	assert.equal((await client(house, key.trim(), "/v1/chat/completions", {})).status, 401);
});

test("a chat in the playground streams, shows its events, and moves the figures", async () => {
	await open("/manage/playground?model=grok-4-fast");
	await page.getByRole("textbox", { name: "Message" }).fill("Think it through: why is the sky blue?");
	await button("Send").click();
	await page.getByText(/first token after/).waitFor();
	await page.getByText("Reasoning", { exact: true }).waitFor();
	await page.getByRole("region", { name: "Raw events" }).getByText("[DONE]").waitFor();
	await button("As code").click();
	await dialog()
		.getByText(/curl http/)
		.waitFor();
	await open("/manage/requests");
	await page
		.getByRole("button", { name: /\d\d:\d\d/ })
		.first()
		.click();
	await dialog().getByText("grok-4-fast").waitFor();
});

test("a picture is drawn in the playground", async () => {
	await open("/manage/playground?mode=image");
	await page.getByLabel("Prompt").fill("A lighthouse at dusk");
	await button("Draw").click();
	const picture = page.getByRole("img", { name: "A lighthouse at dusk" });
	await picture.waitFor();
	assert.ok(await picture.evaluate((image) => image.decode().then(() => image.naturalWidth > 0)));
});

test("a video is made in the playground, with its progress", async () => {
	await open("/manage/playground?mode=video");
	await page.getByLabel("Prompt").fill("The waves roll in");
	await button("Make the video").click();
	await page.getByRole("progressbar", { name: "video" }).waitFor();
	await page.locator("video").waitFor();
});

test("a setting is changed after a look at what changes", async () => {
	await open("/manage/settings?search=stream_chunk_timeout");
	await page.getByLabel("grok.stream_chunk_timeout", { exact: true }).fill("many");
	await page.getByText("A whole number is needed.").waitFor();
	await page.getByLabel("grok.stream_chunk_timeout", { exact: true }).fill("90");
	await button("Review 1 change").click();
	await dialog().getByRole("button", { name: "Save changes" }).click();
	await page.getByText("Settings saved").waitFor();
	assert.equal((await admin("GET", "/api/settings")).data.grok.stream_chunk_timeout, 90);
});

test("a schedule is run, paused and resumed", async () => {
	await open("/manage/schedules");
	const row = page
		.getByRole("row")
		.filter({ has: page.getByRole("button", { name: /^Pause: / }) })
		.first();
	const name = (await row.getByRole("button", { name: /^Pause: / }).getAttribute("aria-label")).slice(7);
	await button(`Run now: ${name}`).click();
	await page.getByText(`${name} was started`).waitFor();
	await button(`Pause: ${name}`).click();
	await button(`Resume: ${name}`).click();
	await button(`Pause: ${name}`).waitFor();
});

test("the keyboard goes everywhere", async () => {
	await open("/manage");
	await page.keyboard.press("g");
	await page.keyboard.press("a");
	await page.getByRole("heading", { level: 1, name: "Accounts" }).waitFor();
	await page.keyboard.press("/");
	assert.equal(await page.evaluate(() => document.activeElement?.getAttribute("type")), "search");
	await page.keyboard.press("Control+k");
	await page.getByRole("combobox", { name: "Go to" }).fill("audit");
	await page.keyboard.press("Enter");
	await page.getByRole("heading", { level: 1, name: "Audit" }).waitFor();
	await page.keyboard.press("?");
	await page.getByRole("dialog", { name: "Keyboard" }).waitFor();
	await page.keyboard.press("Escape");
	assert.equal(await page.getByRole("dialog").count(), 0);
});

test("the language and the theme are changed at once and kept", async () => {
	await open("/manage");
	await button("You").click();
	await page.getByRole("menuitem", { name: "简体中文" }).click();
	await page.getByRole("heading", { level: 1, name: "概览" }).waitFor();
	await button("我的").click();
	await page.getByRole("menuitem", { name: "个人设置" }).click();
	await page.getByRole("button", { name: "深色" }).click();
	assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
});

test("who logs out is asked to log in, and comes back to where they were", async () => {
	await open("/manage");
	await button("You").click();
	await page.getByRole("menuitem", { name: "Log out" }).click();
	await page.waitForURL("**/login");
	await login(page, house, "en", "/manage/audit");
	await page.getByRole("heading", { level: 1, name: "Audit" }).waitFor();
	wrong.splice(0, wrong.length, ...wrong.filter((text) => !text.includes("401")));
});
