// The process dies in the middle of an import; the page finds the work again and sees it come to its end.
import assert from "node:assert/strict";
import { test } from "node:test";
import { launch, login, settled, visit } from "./browser.mjs";
import { openHouse } from "./house.mjs";
import { adminOf } from "./seed.mjs";

const MANY = 5000;

test("an import of 5,000 tokens goes on after its process was killed", async () => {
	const [house, browser] = await Promise.all([openHouse({ accounts: 1 }), launch()]);
	try {
		const { page } = await visit(browser);
		await login(page, house);
		await page.goto(`${house.url}/manage/accounts?import=1`);
		await settled(page);
		const dialog = page.getByRole("dialog");
		const text = Array.from({ length: MANY }, (_, at) => `crash-${at}`).join("\n");
		await dialog
			.locator("input[type=file]")
			.setInputFiles({ name: "tokens.txt", mimeType: "text/plain", buffer: Buffer.from(text) });
		await dialog.getByRole("button", { name: "Preview" }).click();
		await dialog.getByRole("button", { name: "Import 5,000 accounts" }).click();
		await dialog.getByRole("progressbar", { name: "Import accounts" }).waitFor();
		await house.restart();
		await dialog.getByText("Imported", { exact: true }).waitFor({ timeout: 120_000 });
		await page.goto(`${house.url}/manage/accounts`);
		await page.getByText(`${(MANY + 1).toLocaleString("en-US")} accounts in the pool`).waitFor();
		const admin = await adminOf(house);
		assert.equal((await admin("GET", "/api/accounts")).total, MANY + 1);
	} finally {
		await browser.close();
		await house.close();
	}
});
