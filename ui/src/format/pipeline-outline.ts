import { isMap, isScalar, LineCounter, parseDocument, type Document, type ParsedNode } from "yaml";

/** What a task can do; the key in its document. */
export const KINDS = ["sync", "command", "http", "notify", "pipeline", "wait"] as const;
export type Kind = (typeof KINDS)[number];

/** When what is done after all tasks is done. */
const HOOKS = ["on_failure", "on_success"] as const;
export type Hook = (typeof HOOKS)[number];

export type Values = Record<string, unknown>;

/** A task as a document has it. */
export interface TaskEntry {
  name: string;
  /** What makes it a hook; null for one of `tasks`. */
  hook: Hook | null;
  kind: Kind | null;
  after: string[];
  when: string | null;
  hasItems: boolean;
  /** What it does, in a few words. */
  summary: string;
  value: Values;
  /** The line where it begins, from 1. */
  line: number;
}

/** A parameter that runs can be given. */
export interface Param {
  name: string;
  type: "string" | "int" | "number" | "bool" | "date";
  default: string | number | boolean | null;
  description: string | null;
}

/** What a document says, as far as the pages show it. */
export interface Outline {
  description: string | null;
  owner: string | null;
  tags: string[];
  params: Param[];
  /** Connections of the document's own. */
  connections: string[];
  tasks: TaskEntry[];
  /** Why it cannot be read. */
  problem: string | null;
}

/** Reads a document. Of one that is not YAML, what can be read is told. */
export function outlineOf(text: string): Outline {
  const lines = new LineCounter();
  // names that are there twice are found by the server: the parser compares each with all
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: false });
  const root = document.toJS() as unknown;
  const values: Values = isRecord(root) ? root : {};
  const lineAt = (node: unknown) => {
    const range = (node as ParsedNode | null | undefined)?.range;
    return range ? lines.linePos(range[0]).line : 1;
  };
  const taskLines = linesOf(document, lineAt);
  const tasks: TaskEntry[] = [];
  if (isRecord(values["sync"]))
    tasks.push(entry("sync", null, { sync: values["sync"] }, lineAt(document.get("sync", true))));
  for (const [name, value] of Object.entries(recordOf(values["tasks"])))
    tasks.push(entry(name, null, recordOf(value), taskLines.get(name) ?? 1));
  for (const hook of HOOKS) {
    listOf(values[hook]).forEach((value, index) => {
      const name = index === 0 ? hook : `${hook}_${index + 1}`;
      tasks.push(entry(name, hook, recordOf(value), lineAt(document.getIn([hook, index], true))));
    });
  }
  return {
    description: textOf(values["description"]),
    owner: textOf(values["owner"]),
    tags: listOf(values["tags"]).map(String),
    params: Object.entries(recordOf(values["params"])).map(([name, value]) => paramOf(name, recordOf(value))),
    connections: Object.keys(recordOf(values["connections"])),
    tasks,
    problem: document.errors[0]?.message ?? null,
  };
}

/** The names below a key of a document, such as its channels. */
export function namesIn(text: string, key: string): string[] {
  const root = parseDocument(text).toJS() as unknown;
  return isRecord(root) ? Object.keys(recordOf(root[key])) : [];
}

/** Where each task begins, found in one pass: documents can have thousands. */
function linesOf(document: Document.Parsed, lineAt: (node: unknown) => number): Map<string, number> {
  const tasks = document.get("tasks", true) as unknown;
  return new Map(isMap(tasks) ? tasks.items.map((item) => [keyOf(item), lineAt(item.value)]) : []);
}

function entry(name: string, hook: Hook | null, value: Values, line: number): TaskEntry {
  const kind = KINDS.find((one) => value[one] !== undefined && value[one] !== null) ?? null;
  return {
    name,
    hook,
    kind,
    after: listOf(value["after"]).map(String),
    when: textOf(value["when"]),
    hasItems: isRecord(value["for_each"]),
    summary: kind ? summaryOf(kind, value[kind]) : "",
    value,
    line,
  };
}

function summaryOf(kind: Kind, work: unknown): string {
  const value = recordOf(work);
  switch (kind) {
    case "sync":
      return `${textOf(value["from"]) ?? "?"} → ${textOf(value["to"]) ?? "?"}`;
    case "command": {
      const argv = listOf(value["argv"]).map(String);
      if (argv.length > 0) return argv.join(" ");
      const lines = (textOf(value["script"]) ?? "").split("\n").map((line) => line.trim());
      return lines.find((line) => line && !line.startsWith("#")) ?? "script";
    }
    case "http":
      return `${textOf(value["method"]) ?? ((value["body"] ?? value["json"]) ? "POST" : "GET")} ${textOf(value["url"]) ?? ""}`;
    case "notify":
      return textOf(work) ?? textOf(value["channel"]) ?? "";
    case "pipeline":
      return textOf(work) ?? textOf(value["name"]) ?? "";
    case "wait":
      return waitOf(value);
  }
}

function waitOf(value: Values): string {
  const file = recordOf(value["file"]);
  if (value["for"]) return `for ${String(value["for"])}`;
  if (value["until"]) return `until ${String(value["until"])}`;
  if (value["file"]) return `for ${String(file["path"] ?? "a file")}`;
  if (value["query"]) return `for a query of ${String(recordOf(value["query"])["connection"] ?? "?")}`;
  return value["dataset"] ? `for ${String(value["dataset"])}` : "";
}

function paramOf(name: string, value: Values): Param {
  const types: readonly Param["type"][] = ["string", "int", "number", "bool", "date"];
  const given = value["default"];
  return {
    name,
    type: types.find((type) => type === value["type"]) ?? "string",
    default:
      typeof given === "string" || typeof given === "number" || typeof given === "boolean" ? given : null,
    description: textOf(value["description"]),
  };
}

/** The key of an entry of a map, as text. */
export function keyOf(pair: { key: unknown }): string {
  return String(isScalar(pair.key) ? pair.key.value : pair.key);
}

export function isRecord(value: unknown): value is Values {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function recordOf(value: unknown): Values {
  return isRecord(value) ? value : {};
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : value === undefined || value === null ? [] : [value];
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
