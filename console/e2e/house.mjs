// A gateway of its own for the tests: the real program in front of the simulator, in a folder that goes with it.
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = new URL("../..", import.meta.url).pathname;
const bin = (name) => join(process.env.CARGO_TARGET_DIR ?? join(root, "target"), "debug", name);

export const freePort = () =>
	new Promise((resolve, reject) => {
		const server = createServer();
		server.once("error", reject);
		server.listen(0, "127.0.0.1", () => {
			const { port } = server.address();
			server.close(() => resolve(port));
		});
	});

export async function answers(url, within = 30_000) {
	const until = Date.now() + within;
	for (;;) {
		try {
			return await fetch(url);
		} catch (error) {
			if (Date.now() > until) throw error;
			await new Promise((resolve) => setTimeout(resolve, 50));
		}
	}
}

function start(name, args, env = {}) {
	const child = spawn(bin(name), args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
	const output = [];
	for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => output.push(String(data)));
	const ended = new Promise((resolve) => child.once("exit", resolve));
	return {
		output: () => output.join(""),
		kill: (signal = "SIGKILL") => {
			child.kill(signal);
			return ended;
		},
	};
}

/** Starts simulator and gateway; `restart` kills the gateway in the middle of what it does. */
export async function openHouse({ accounts = 4, password = "a first password 1" } = {}) {
	const folder = mkdtempSync(join(tmpdir(), "console-"));
	const [simPort, port] = [await freePort(), await freePort()];
	const url = `http://127.0.0.1:${port}`;
	const sim = start("grok2api-bench", ["sim", "--listen", `127.0.0.1:${simPort}`]);
	const env = {
		GROK2API_DATA_DIR: folder,
		GROK2API_LISTEN: `127.0.0.1:${port}`,
		GROK2API_UPSTREAM__BASE_URL: `http://127.0.0.1:${simPort}`,
		GROK2API_UPSTREAM__ASSETS_BASE_URL: `http://127.0.0.1:${simPort}`,
		GROK2API_ADMIN__PASSWORD: password,
	};
	const run = (args, input) =>
		execFileSync(bin("grok2api"), args, { env: { ...process.env, ...env }, input: input ?? "", encoding: "utf8" });
	if (accounts > 0) run(["token", "add"], Array.from({ length: accounts }, (_, at) => `house-${at}\n`).join(""));
	let gateway = start("grok2api", ["serve"], env);
	await answers(`${url}/healthz`);
	return {
		url,
		password,
		run,
		output: () => gateway.output(),
		restart: async () => {
			await gateway.kill();
			gateway = start("grok2api", ["serve"], env);
			await answers(`${url}/healthz`);
		},
		close: async () => {
			await gateway.kill("SIGTERM");
			await sim.kill();
			rmSync(folder, { recursive: true, force: true });
		},
	};
}
