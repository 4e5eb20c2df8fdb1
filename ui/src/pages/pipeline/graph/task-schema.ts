import type { JsonSchema } from "../../../components/schema-form/shape";
import type { Kind } from "../../../format/pipeline-outline";

/** Names that a task can refer to. */
export interface Choices {
  connections: string[];
  channels: string[];
  pools: string[];
  pipelines: string[];
}

/** The definition of what each kind of task does. */
const DEFINITIONS: Record<Kind, string> = {
  sync: "SyncDocument",
  sql: "SqlDocument",
  check: "CheckDocument",
  command: "Command",
  http: "Http",
  notify: "Notify",
  pipeline: "StartPipeline",
  wait: "WaitDocument",
  backup: "Backup",
  restore: "Restore",
};

/** Options that every task has, besides what it does and what it waits for. */
const OPTIONS = ["retry", "timeout", "pool", "slots", "priority", "runs_on", "on_lost"];

/** The schema of what a kind of task does; names can only be those that there are. */
export function workSchema(document: JsonSchema, kind: Kind, choices: Choices): JsonSchema {
  const root = withChoices(document, choices);
  return { ...root.$defs?.[DEFINITIONS[kind]], ...(root.$defs && { $defs: root.$defs }) };
}

/** The schema of the items that a task is run for. */
export function itemsSchema(document: JsonSchema, choices: Choices): JsonSchema {
  const root = withChoices(document, choices);
  return { ...root.$defs?.["ForEachDocument"], ...(root.$defs && { $defs: root.$defs }) };
}

/** The schema of the options of a stream. */
export function streamSchema(document: JsonSchema): JsonSchema {
  return { ...document.$defs?.["StreamDocument"], ...(document.$defs && { $defs: document.$defs }) };
}

/** The schema of the options that every task has. */
export function optionsSchema(document: JsonSchema, choices: Choices): JsonSchema {
  const root = withChoices(document, choices);
  const all = root.$defs?.["TaskDocument"]?.properties ?? {};
  const properties = Object.fromEntries(OPTIONS.flatMap((name) => (all[name] ? [[name, all[name]]] : [])));
  return { type: "object", properties, ...(root.$defs && { $defs: root.$defs }) };
}

function withChoices(document: JsonSchema, { connections, channels, pools, pipelines }: Choices): JsonSchema {
  const names: Record<string, Record<string, string[]>> = {
    SyncDocument: { from: connections, to: connections },
    SqlTarget: { connection: connections },
    Backup: { from: connections, to: connections },
    Restore: { from: connections, to: connections },
    FilePattern: { connection: connections },
    Query: { connection: connections },
    Notify: { channel: channels },
    StartPipeline: { name: pipelines },
    TaskDocument: { pool: pools },
  };
  const $defs = { ...document.$defs };
  for (const [definition, fields] of Object.entries(names)) {
    const known = $defs[definition];
    if (!known) continue;
    const limited = Object.entries(fields).map(([field, values]) => {
      const description = known.properties?.[field]?.description;
      return [field, { enum: values, ...(description && { description }) }] as const;
    });
    $defs[definition] = { ...known, properties: { ...known.properties, ...Object.fromEntries(limited) } };
  }
  return { ...document, $defs };
}

/** The names that a task refers to now: they can stay chosen even if there is no such thing. */
export function withPresent(names: readonly string[], ...present: unknown[]): string[] {
  const more = present.filter(
    (name): name is string => typeof name === "string" && name !== "" && !names.includes(name),
  );
  return [...names, ...more];
}
