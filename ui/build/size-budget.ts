import { gzipSync } from "node:zlib";
import type { Plugin } from "vite";

const KB = 1000;
const FIRST_LOAD_MAX = 250 * KB;
const CHUNK_MAX = 400 * KB;

interface Built {
  type: "chunk" | "asset";
  fileName: string;
  isEntry?: boolean;
  imports?: string[];
  viteMetadata?: { importedCss: Set<string> };
  code?: string;
  source?: string | Uint8Array;
}

/** Fails the build where the first load, or any single chunk, is larger than the budget allows. */
export function sizeBudget(): Plugin {
  return {
    name: "levada:size-budget",
    apply: "build",
    enforce: "post",
    generateBundle(_options, bundle) {
      const files: Built[] = Object.values(bundle);
      const sizes = new Map(
        files.map((file) => [file.fileName, gzipSync(file.code ?? file.source ?? "").length]),
      );
      const first = firstLoad(files);
      const total = [...first].reduce((sum, name) => sum + (sizes.get(name) ?? 0), 0);
      const tooLarge = [...sizes].filter(([name, size]) => /\.(js|css)$/.test(name) && size > CHUNK_MAX);
      for (const [name, size] of tooLarge)
        this.error(`${name} has ${kb(size)} gzip, ${kb(CHUNK_MAX)} at most`);
      if (total > FIRST_LOAD_MAX)
        this.error(`the first load has ${kb(total)} gzip, ${kb(FIRST_LOAD_MAX)} at most`);
      this.info(`first load ${kb(total)} gzip of ${kb(FIRST_LOAD_MAX)}`);
    },
  };
}

/** The entry, what it imports at once, and the style sheets: what a browser fetches before it shows anything. */
export function firstLoad(files: Built[]): Set<string> {
  const byName = new Map(files.map((file) => [file.fileName, file]));
  const found = new Set<string>();
  const add = (name: string) => {
    if (found.has(name)) return;
    found.add(name);
    byName.get(name)?.imports?.forEach(add);
    byName.get(name)?.viteMetadata?.importedCss.forEach(add);
  };
  files.filter((file) => file.isEntry).forEach((file) => add(file.fileName));
  return found;
}

function kb(bytes: number): string {
  return `${(bytes / KB).toFixed(1)} KB`;
}
