import type { StreamDraft } from "./draft";
import { MODES, type Facts } from "./modes";

export type ColumnChange = Partial<
  Pick<StreamDraft, "exclude" | "renames" | "casts" | "hash" | "quarantine">
>;

/** The types that a column can be given, as documents name them; decimals take digits of one's own. */
export const TYPES = [
  "text",
  "int64",
  "int32",
  "int16",
  "int8",
  "uint64",
  "uint32",
  "uint16",
  "uint8",
  "float64",
  "float32",
  "decimal(18,2)",
  "number",
  "bool",
  "date",
  "time",
  "timestamp",
  "timestamptz",
  "duration",
  "json",
  "uuid",
  "bytes",
];

/** Why a column has to be loaded; undefined where it can be left out. */
export function neededFor(name: string, stream: StreamDraft, facts: Facts): string | undefined {
  if (MODES[stream.mode].write === "merge" && facts.key.includes(name)) return "It is part of the key.";
  if (stream.key?.includes(name)) return "It is part of the key.";
  return undefined;
}

/** Why a column cannot be hashed; undefined where it can. */
export function unhashable(name: string, stream: StreamDraft): string | undefined {
  if (stream.exclude.includes(name)) return "It is not loaded.";
  return stream.cursor === name && MODES[stream.mode].read === "incremental"
    ? "It tells what is new."
    : undefined;
}

/** A column taken in or left out: what is not loaded has no name, type or hash either. */
export function withColumn(stream: StreamDraft, name: string, isLoaded: boolean): ColumnChange {
  if (isLoaded) return { exclude: stream.exclude.filter((one) => one !== name) };
  return {
    exclude: [...stream.exclude, name],
    renames: without(stream.renames, name),
    casts: without(stream.casts, name),
    hash: stream.hash.filter((one) => one !== name),
  };
}

/** A column hashed or not: a hash is always text, so that there is no cast. */
export function withHash(stream: StreamDraft, name: string, isHashed: boolean): ColumnChange {
  if (!isHashed) return { hash: stream.hash.filter((one) => one !== name) };
  return { hash: [...stream.hash, name], casts: without(stream.casts, name) };
}

/** A map with an entry, or without it where the value is empty. */
export function withEntry(map: Record<string, string>, name: string, value: string): Record<string, string> {
  return value ? { ...map, [name]: value } : without(map, name);
}

/** What is wrong with the columns of a stream, by column. */
export function columnMistakes(stream: StreamDraft, facts: Facts): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of stream.exclude) {
    const reason = neededFor(name, stream, facts);
    if (reason) found[name] = `It has to be loaded. ${reason}`;
  }
  for (const name of stream.hash) {
    const reason = unhashable(name, stream);
    if (reason) found[name] = `It cannot be hashed. ${reason}`;
  }
  const names = new Map<string, string>();
  for (const { name } of facts.columns.filter((column) => !stream.exclude.includes(column.name))) {
    const final = stream.renames[name] ?? name;
    const twin = names.get(final);
    if (twin !== undefined) found[name] = `${twin} is called ${final} too.`;
    names.set(final, name);
  }
  for (const [name, type] of Object.entries(stream.casts))
    if (!isType(type)) found[name] = `${type} is not a type.`;
  return found;
}

function isType(word: string): boolean {
  const type = word.trim().toLowerCase();
  return (
    TYPES.includes(type) || ALIASES.includes(type) || /^decimal\(\s*\d{1,2}\s*(,\s*\d{1,2}\s*)?\)$/.test(type)
  );
}

const ALIASES = ["boolean", "smallint", "int", "integer", "bigint", "real", "double", "string", "binary"];

function without(map: Record<string, string>, name: string): Record<string, string> {
  return Object.fromEntries(Object.entries(map).filter(([one]) => one !== name));
}
