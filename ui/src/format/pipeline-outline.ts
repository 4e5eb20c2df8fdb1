import {
  constructFromEvents,
  EVENT_ID,
  getScalarValue,
  parseEvents,
  YAMLException,
  type Event,
} from "js-yaml";

/** What a task can do; the key in its document. */
export const KINDS = [
  "sync",
  "sql",
  "check",
  "command",
  "http",
  "notify",
  "pipeline",
  "wait",
  "backup",
  "restore",
] as const;
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

/** Reads a document. One that is not YAML says nothing but why. */
export function outlineOf(text: string): Outline {
  const { values, lines, problem } = read(text);
  const tasks: TaskEntry[] = [];
  const lineAt = (...path: (string | number)[]) => lines.get(placeOf(path)) ?? 1;
  if (isRecord(values["sync"])) tasks.push(entry("sync", null, { sync: values["sync"] }, lineAt("sync")));
  for (const [name, value] of Object.entries(recordOf(values["tasks"])))
    tasks.push(entry(name, null, recordOf(value), lineAt("tasks", name)));
  for (const hook of HOOKS) {
    listOf(values[hook]).forEach((value, index) => {
      const name = index === 0 ? hook : `${hook}_${index + 1}`;
      tasks.push(entry(name, hook, recordOf(value), lines.get(placeOf([hook, index])) ?? lineAt(hook)));
    });
  }
  return {
    description: textOf(values["description"]),
    owner: textOf(values["owner"]),
    tags: listOf(values["tags"]).map(String),
    params: Object.entries(recordOf(values["params"])).map(([name, value]) => paramOf(name, recordOf(value))),
    connections: Object.keys(recordOf(values["connections"])),
    tasks,
    problem,
  };
}

/** The names below a key of a document, such as its channels. */
export function namesIn(text: string, key: string): string[] {
  return Object.keys(recordOf(read(text).values[key]));
}

interface Reading {
  values: Values;
  /** The line where each entry of the first two levels begins, by its place. */
  lines: Map<string, number>;
  problem: string | null;
}

function read(text: string): Reading {
  try {
    const events = parseEvents(text, {});
    // names that are there twice are told by the server
    const [root] = constructFromEvents(events, { source: text, json: true });
    return { values: recordOf(root), lines: linesOf(text, events), problem: null };
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    return { values: {}, lines: new Map(), problem: error.message };
  }
}

interface Level {
  place: string;
  isMap: boolean;
  /** The key whose value comes next. */
  key: string | null;
  count: number;
}

/** Where the entries of the first two levels begin: those of the document, and those of its tasks. */
function linesOf(text: string, events: readonly Event[]): Map<string, number> {
  const found = new Map<string, number>();
  const open: (Level | null)[] = [];
  let [line, counted] = [1, 0];
  const lineAt = (offset: number) => {
    for (let end = text.indexOf("\n", counted); end >= 0 && end < offset; end = text.indexOf("\n", counted))
      [line, counted] = [line + 1, end + 1];
    return line;
  };
  for (const event of events) {
    if (event.type === EVENT_ID.POP) {
      open.pop();
      continue;
    }
    const level = open.at(-1);
    const isKey = level?.isMap === true && level.key === null;
    const name = isKey && event.type === EVENT_ID.SCALAR ? getScalarValue(text, event) : "";
    const place = level ? `${level.place}/${level.isMap ? (level.key ?? name) : level.count}` : "";
    if (level && (isKey || !level.isMap)) {
      found.set(place, lineAt(startOf(event)));
      level.count += 1;
    }
    if (level?.isMap) level.key = isKey ? name : null;
    const isMap = event.type === EVENT_ID.MAPPING;
    if (event.type === EVENT_ID.DOCUMENT) open.push(null);
    else if (isMap || event.type === EVENT_ID.SEQUENCE)
      open.push(open.length <= LEVELS ? { place, isMap, key: null, count: 0 } : null);
  }
  return found;
}

const LEVELS = 2;

function placeOf(path: (string | number)[]): string {
  return path.map((step) => `/${step}`).join("");
}

function startOf(event: Event): number {
  if ("start" in event) return event.start;
  if ("valueStart" in event) return event.valueStart;
  return "anchorStart" in event ? event.anchorStart : 0;
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
    case "backup":
    case "restore":
      return `${textOf(value["from"]) ?? "?"} → ${textOf(value["to"]) ?? "?"}`;
    case "sql": {
      const to = recordOf(value["to"]);
      return `query → ${textOf(to["connection"]) ?? "?"}.${textOf(to["stream"]) ?? "?"}`;
    }
    case "check":
      return `${listOf(value["tests"]).length} tests of ${textOf(value["dataset"]) ?? "?"}`;
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
