// Adds the compressed forms that the program embeds and serves.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const dist = new URL("../dist", import.meta.url).pathname;
const names = readdirSync(dist, { recursive: true }).filter((name) => /\.(js|css|html|svg)$/.test(name));
for (const name of names) {
	const path = join(dist, name);
	const data = readFileSync(path);
	const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: data.length };
	writeFileSync(`${path}.br`, brotliCompressSync(data, { params }));
	writeFileSync(`${path}.gz`, gzipSync(data, { level: 9 }));
}
