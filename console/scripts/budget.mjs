// What a browser loads first, and what a page adds, in bytes of gzip.
import { readFileSync } from "node:fs";
import { join } from "node:path";

const [FIRST, PAGE] = [200_000, 60_000];
const dist = new URL("../dist", import.meta.url).pathname;
const manifest = JSON.parse(readFileSync(join(dist, ".vite/manifest.json"), "utf8"));
const size = (file) => readFileSync(join(dist, `${file}.gz`)).length;
const reach = (key, seen = new Set()) => {
	if (seen.has(key)) return seen;
	seen.add(key);
	for (const next of manifest[key].imports ?? []) reach(next, seen);
	return seen;
};
const first = reach(Object.keys(manifest).find((key) => manifest[key].isEntry));
const sum = (keys) => [...keys].reduce((total, key) => total + size(manifest[key].file), 0);
const lines = [["first load", sum(first), FIRST]];
for (const key of Object.keys(manifest).filter((key) => manifest[key].isDynamicEntry)) {
	lines.push([key, sum([...reach(key)].filter((part) => !first.has(part))), PAGE]);
}
for (const [name, bytes, most] of lines) {
	console.log(`${(bytes / 1000).toFixed(1).padStart(7)} of ${most / 1000} kB  ${name}`);
	if (bytes > most) process.exitCode = 1;
}
