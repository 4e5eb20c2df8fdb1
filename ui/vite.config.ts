import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { constructableSheets } from "./build/constructable-sheets.ts";
import { licences } from "./build/licences.ts";
import { sizeBudget } from "./build/size-budget.ts";
import { precompress } from "./build/precompress.ts";

const server = process.env["LEVADA_URL"] ?? "http://127.0.0.1:7717";
// the server takes requests of its own origin only, and the browser's origin is this dev server
const proxy = { target: server, changeOrigin: true, headers: { origin: server } };

export default defineConfig({
  plugins: [react(), tailwindcss(), licences(), constructableSheets(), sizeBudget(), precompress()],
  server: {
    host: "127.0.0.1",
    // the schema of pipelines' documents lies beside the UI
    fs: { allow: [".", "../api"] },
    port: Number(process.env["PORT"] ?? 5173),
    proxy: { "/api": { ...proxy, ws: true }, "/v1": proxy, "/healthz": proxy },
  },
  build: {
    target: ["chrome123", "firefox128", "safari17.5"],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 2000,
  },
  worker: { format: "es" },
  test: { include: ["src/**/*.test.ts", "build/**/*.test.ts"] },
});
