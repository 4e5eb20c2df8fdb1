import { expect, test } from "vitest";
import { firstLoad } from "./size-budget";

test("the first load is the entry with all that it imports, and nothing that comes later", () => {
  const css = (name: string) => ({ importedCss: new Set([name]) });
  const files = [
    {
      type: "chunk" as const,
      fileName: "entry.js",
      isEntry: true,
      imports: ["shared.js"],
      viteMetadata: css("entry.css"),
    },
    { type: "chunk" as const, fileName: "shared.js", imports: ["entry.js"] },
    { type: "chunk" as const, fileName: "page.js", imports: ["shared.js"], viteMetadata: css("page.css") },
  ];
  expect([...firstLoad(files)].sort()).toEqual(["entry.css", "entry.js", "shared.js"]);
});
