import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const gateway = process.env.GATEWAY ?? "http://127.0.0.1:8000";
const ours = ["/api", "/v1", "/images", "/readyz", "/docs", "/openapi.json"];

export default defineConfig(({ command }) => ({
	base: command === "build" ? "/static/" : "/",
	plugins: [react(), tailwindcss()],
	build: {
		manifest: true,
		target: "es2022",
		modulePreload: { polyfill: false },
		assetsInlineLimit: 0,
		chunkSizeWarningLimit: 700,
	},
	server: { proxy: Object.fromEntries(ours.map((path) => [path, gateway])) },
	test: { include: ["src/**/*.test.ts"] },
}));
