import { isObject } from "../../../components/schema-form/shape";

/** A stream of a sync with its options. */
export interface StreamEntry {
  name: string;
  options: Record<string, unknown>;
}

/** The streams of a sync, whether they are written as a list or with options. */
export function streamEntries(value: unknown): StreamEntry[] {
  if (Array.isArray(value)) return value.map((name) => ({ name: String(name), options: {} }));
  if (!isObject(value)) return [];
  return Object.entries(value).map(([name, options]) => ({
    name,
    options: isObject(options) ? options : {},
  }));
}

/** The other way round: a list stays one as long as no stream has options. */
export function streamsValue(entries: readonly StreamEntry[], before: unknown): unknown {
  const isPlain = entries.every(({ options }) => Object.keys(options).length === 0);
  if (isPlain && !isObject(before)) return entries.map(({ name }) => name);
  return Object.fromEntries(entries.map(({ name, options }) => [name, options]));
}
