import type { Kind } from "../../../format/pipeline-outline";

/** A task of a kind, as empty as it can be. */
export function blankTask(kind: Kind): Record<string, unknown> {
  switch (kind) {
    case "sync":
      return { sync: { from: "", to: "", streams: [] } };
    case "sql":
      return { sql: { query: "", to: { connection: "", stream: "" } } };
    case "check":
      return { check: { dataset: "", tests: [] } };
    case "command":
      return { command: { script: "echo hello\n" } };
    case "http":
      return { http: { url: "https://" } };
    case "notify":
      return { notify: "" };
    case "pipeline":
      return { pipeline: "" };
    case "wait":
      return { wait: { for: "1m" } };
    case "backup":
      return { backup: { from: "", to: "" } };
    case "restore":
      return { restore: { from: "", to: "" } };
  }
}

/** What the tasks of some kinds are called. */
const BASES: Partial<Record<Kind, string>> = {
  sync: "load",
  sql: "query",
  command: "run",
  pipeline: "start",
};

/** A name that no other task has: `http`, `http_2`. */
export function freeName(kind: Kind, names: readonly string[]): string {
  const base = BASES[kind] ?? kind;
  for (let count = 1; ; count += 1) {
    const name = count === 1 ? base : `${base}_${count}`;
    if (!names.includes(name)) return name;
  }
}
