import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import type { Plugin } from "vite";

const ID = "virtual:licences";
const RESOLVED = `\0${ID}`;
const OUTPUT_MAX = 256 << 20;
const UNKNOWN = "unknown";

type Package = [name: string, version: string, licence: string];

/** The module `virtual:licences`: what the pages and the program are built with, read from the lock files at build time. */
export function licences(): Plugin {
  return {
    name: "levada:licences",
    resolveId: (id) => (id === ID ? RESOLVED : undefined),
    load(id) {
      if (id !== RESOLVED) return undefined;
      return `export default ${JSON.stringify({ rust: rustPackages(), npm: npmPackages() })}`;
    },
  };
}

interface Lock {
  packages: Record<string, { version?: string; license?: string; dev?: boolean; optional?: boolean }>;
}

/** The packages that are in the pages; tools of the build are not. */
export function npmPackages(lock = JSON.parse(readFileSync("package-lock.json", "utf8")) as Lock): Package[] {
  return Object.entries(lock.packages)
    .filter(([path, { dev }]) => path.startsWith("node_modules/") && !dev)
    .map(([path, { version = "", license = UNKNOWN }]): Package => [
      path.replace(/^.*node_modules\//, ""),
      version,
      license,
    ])
    .sort(([a], [b]) => a.localeCompare(b));
}

interface Metadata {
  packages: { id: string; name: string; version: string; license: string | null; source: string | null }[];
  resolve: { nodes: { id: string; deps: { pkg: string; dep_kinds: { kind: string | null }[] }[] }[] };
}

/** The crates that the program is made of, as cargo tells them. Without cargo there is no list. */
function rustPackages(): Package[] {
  if (!existsSync("../Cargo.lock")) return [];
  try {
    const arguments_ = ["metadata", "--locked", "--offline", "--format-version", "1"];
    const output = execFileSync("cargo", arguments_, {
      cwd: "..",
      maxBuffer: OUTPUT_MAX,
      stdio: ["ignore", "pipe", "ignore"],
    });
    return cratesOf(JSON.parse(output.toString()) as Metadata, "levada");
  } catch {
    return [];
  }
}

/** The crates behind one of the workspace, without those that only tests and builds need. */
export function cratesOf({ packages, resolve }: Metadata, root: string): Package[] {
  const byId = new Map(packages.map((one) => [one.id, one]));
  const nodes = new Map(resolve.nodes.map((node) => [node.id, node]));
  const seen = new Set<string>();
  const waiting = packages.filter((one) => one.name === root && one.source === null).map((one) => one.id);
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    if (seen.has(id)) continue;
    seen.add(id);
    const used = nodes.get(id)?.deps.filter((dep) => dep.dep_kinds.some(({ kind }) => kind === null)) ?? [];
    waiting.push(...used.map((dep) => dep.pkg));
  }
  return [...seen]
    .flatMap((id) => byId.get(id) ?? [])
    .filter((one) => one.source !== null)
    .map(({ name, version, license }): Package => [name, version, license ?? UNKNOWN])
    .sort(([a], [b]) => a.localeCompare(b));
}
