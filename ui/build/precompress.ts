import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";
import type { Plugin } from "vite";

const TEXT = /\.(html|js|css|svg|json)$/;

/** Writes a brotli-compressed file beside each text file of the build; the server sends it to browsers that take it. */
export function precompress(): Plugin {
  return {
    name: "levada:precompress",
    apply: "build",
    writeBundle(options, bundle) {
      const folder = options.dir ?? "dist";
      for (const name of [...Object.keys(bundle), "logo.svg"]) {
        if (!TEXT.test(name)) continue;
        const file = join(folder, name);
        const text = readFileSync(file);
        const params = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY };
        writeFileSync(`${file}.br`, brotliCompressSync(text, { params }));
      }
    },
  };
}
