import { expect, test } from "vitest";
import { cratesOf, npmPackages } from "./licences";

test("what only tests and builds need is not listed", () => {
  const lock = {
    packages: {
      "": { version: "1" },
      "node_modules/react": { version: "19", license: "MIT" },
      "node_modules/a/node_modules/b": { version: "2" },
      "node_modules/vite": { version: "8", license: "MIT", dev: true },
    },
  };
  expect(npmPackages(lock)).toEqual([
    ["b", "2", "unknown"],
    ["react", "19", "MIT"],
  ]);

  const one = (name: string, source: string | null) => ({
    id: name,
    name,
    version: "1",
    license: "MIT",
    source,
  });
  const dep = (pkg: string, kind: string | null) => ({ pkg, dep_kinds: [{ kind }] });
  const metadata = {
    packages: [one("levada", null), one("core", null), one("serde", "registry"), one("tester", "registry")],
    resolve: {
      nodes: [
        { id: "levada", deps: [dep("core", null), dep("tester", "dev")] },
        { id: "core", deps: [dep("serde", null)] },
      ],
    },
  };
  expect(cratesOf(metadata, "levada")).toEqual([["serde", "1", "MIT"]]);
});
