import type { Plugin } from "vite";

const STYLE_MOD = "if (!root.head && root.adoptedStyleSheets";
const SINGLETON = "react-style-singleton";

/**
 * The server's content security policy allows no `<style>` tags. CodeMirror's style-mod uses constructable sheets in
 * shadow roots only, and the scroll lock of dialogs makes a tag: here both use sheets everywhere.
 */
export function constructableSheets(): Plugin {
  return {
    name: "levada:constructable-sheets",
    apply: "build",
    enforce: "pre",
    resolveId(source) {
      return source === SINGLETON ? this.resolve("/src/style-singleton.ts") : undefined;
    },
    transform(code, id) {
      if (!id.includes("/style-mod/")) return undefined;
      if (!code.includes(STYLE_MOD)) this.error("style-mod has changed: look again how it mounts its sheets");
      return { code: code.replace(STYLE_MOD, "if (root.adoptedStyleSheets"), map: null };
    },
  };
}
