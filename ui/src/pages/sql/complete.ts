import type { Completion, CompletionContext, CompletionResult } from "@codemirror/autocomplete";
import type { StreamFound } from "../../api/model";
import { bare } from "./params";
import { FUNCTIONS, KEYWORDS } from "./words";

/** What there is to read. */
export interface World {
  connections: readonly string[];
  /** The streams behind a connection; none where they are not known. */
  streams: (connection: string) => Promise<readonly StreamFound[]>;
}

/** A stream that a query reads. */
export interface Read {
  connection: string;
  stream: string;
  /** What its columns are called by. */
  names: string[];
}

const PART = String.raw`(?:"(?:[^"]|"")*"|[A-Za-z_]\w*)`;
/** The dotted name that ends at the cursor, the last part of which may be empty or an open quote. */
const AT_CURSOR = new RegExp(String.raw`((?:${PART}\.)*)("[^"]*|[A-Za-z_]\w*)?$`);
const READ = new RegExp(
  String.raw`\b(?:from|join|,)\s+(${PART}(?:\.${PART})+)(?:\s+(?:as\s+)?(${PART}))?`,
  "gi",
);
const PLAIN = /^[A-Za-z_]\w*$/;
const RESERVED = new Set(KEYWORDS.map((word) => word.toLowerCase()));

/** What can stand at the cursor: keywords and functions, connections, their streams, and columns of what is read. */
export function completions(world: World) {
  return async (context: CompletionContext): Promise<CompletionResult | null> => {
    const text = context.state.doc.toString();
    const before = text.slice(0, context.pos);
    // within a text or a comment there is nothing to complete
    if (isHidden(before)) return null;
    const [, path = "", word = ""] = AT_CURSOR.exec(before) ?? [];
    if (!path && !word && !context.explicit) return null;
    const options = await optionsAt(world, text, partsOf(path));
    if (options.length === 0 || context.aborted) return null;
    const from = context.pos - word.length;
    // what has dots and stars of its own is looked for by what it begins with
    return { from, options, validFor: word.startsWith('"') ? /^"[^"]*$/ : /^[\w.*/-]*$/ };
  };
}

/** The same for the parts of a name that stand before the cursor. */
export async function optionsAt(world: World, text: string, parts: string[]): Promise<Completion[]> {
  const [first] = parts;
  const reads = readsOf(text).filter((read) => world.connections.includes(read.connection));
  if (first === undefined) {
    const columns = await Promise.all(reads.map((read) => columnsOf(world, read)));
    return [
      ...distinct(columns.flat()).map((one) => ({ ...one, boost: 2 })),
      ...world.connections.map((name): Completion => ({
        label: name,
        type: "namespace",
        apply: `${quoted(name)}.`,
        boost: 1,
      })),
      ...KEYWORDS.map((label): Completion => ({ label, type: "keyword" })),
      ...FUNCTIONS.map((label): Completion => ({ label, type: "function", apply: `${label}(` })),
    ];
  }
  const columns = await Promise.all(
    reads.filter((read) => read.names.includes(parts.join("."))).map((read) => columnsOf(world, read)),
  );
  if (columns.length > 0) return distinct(columns.flat());
  if (!world.connections.includes(first)) return [];
  const within = parts
    .slice(1)
    .map((part) => `${part}.`)
    .join("");
  const streams = await world.streams(first);
  return streams
    .filter((stream) => stream.stream.startsWith(within))
    .map((stream): Completion => {
      const label = stream.stream.slice(within.length);
      return {
        label,
        type: "class",
        apply: applied(stream, parts.length - 1, label),
        detail: `${stream.columns.length} columns`,
      };
    });
}

/** The streams that a query reads, as far as they are written. */
export function readsOf(sql: string): Read[] {
  // quoted names are names here
  const names = sql.replace(/'(?:[^']|'')*'|--[^\n]*|\/\*[\s\S]*?\*\//g, (hidden) =>
    " ".repeat(hidden.length),
  );
  return [...names.matchAll(READ)].flatMap(([, path = "", alias]): Read[] => {
    const [connection, ...rest] = partsOf(`${path}.`);
    if (connection === undefined || rest.length === 0) return [];
    const called = alias === undefined ? undefined : partsOf(`${alias}.`)[0];
    const isAlias = called !== undefined && !RESERVED.has(called.toLowerCase());
    return [{ connection, stream: rest.join("."), names: isAlias ? [called] : [rest.at(-1) ?? ""] }];
  });
}

/** The parts of a dotted name with a dot behind each, without quotes. */
function partsOf(path: string): string[] {
  const parts = path.match(new RegExp(PART, "g")) ?? [];
  return parts.map((part) => (part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part));
}

/** A name as SQL has it: in quotes where it needs them. */
export function quoted(name: string): string {
  const isPlain = PLAIN.test(name) && !RESERVED.has(name.toLowerCase());
  return isPlain ? name : `"${name.replaceAll('"', '""')}"`;
}

function applied(stream: StreamFound, known: number, label: string): string {
  const { namespace, table } = stream;
  const parts = namespace && stream.stream === `${namespace}.${table}` ? [namespace, table] : null;
  return parts ? parts.slice(known).map(quoted).join(".") : quoted(label);
}

async function columnsOf(world: World, read: Read): Promise<Completion[]> {
  const stream = (await world.streams(read.connection)).find((one) => one.stream === read.stream);
  return (stream?.columns ?? []).map((column) => ({
    label: column.name,
    type: "property",
    apply: quoted(column.name),
    detail: column.type,
  }));
}

function distinct(options: Completion[]): Completion[] {
  return [...new Map(options.map((option) => [option.label, option])).values()];
}

/** Whether a text ends within a text of SQL or a comment. */
function isHidden(before: string): boolean {
  const open = bare(before);
  return /'/.test(open) || /\/\*/.test(open) || /--[^\n]*$/.test(before.split("\n").at(-1) ?? "");
}
