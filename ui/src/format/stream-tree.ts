import type { StreamFound } from "../api/model";

export interface StreamRow {
  kind: "stream";
  stream: StreamFound;
  /** Columns that the search found, where the name itself is not it. */
  columns: string[];
}

export interface NamespaceRow {
  kind: "namespace";
  name: string;
  streams: StreamFound[];
  isOpen: boolean;
}

export type TreeRow = StreamRow | NamespaceRow;

/** The streams with a text in their names, or in the name of one of their columns. */
export function searchStreams(streams: readonly StreamFound[], text: string): StreamRow[] {
  const words = text.trim().toLowerCase();
  const row = (stream: StreamFound, columns: string[]): StreamRow => ({ kind: "stream", stream, columns });
  if (!words) return streams.map((stream) => row(stream, []));
  const byName: StreamRow[] = [];
  const byColumn: StreamRow[] = [];
  for (const stream of streams) {
    if (stream.stream.toLowerCase().includes(words)) byName.push(row(stream, []));
    else {
      const columns = stream.columns
        .map((column) => column.name)
        .filter((name) => name.toLowerCase().includes(words));
      if (columns.length > 0) byColumn.push(row(stream, columns));
    }
  }
  return [...byName, ...byColumn];
}

/** Rows below their namespaces; plain rows where there is but one namespace, or none. */
export function treeRows(found: readonly StreamRow[], closed: ReadonlySet<string>): TreeRow[] {
  const groups = new Map<string, StreamRow[]>();
  for (const row of found) {
    const name = row.stream.namespace ?? "";
    groups.set(name, [...(groups.get(name) ?? []), row]);
  }
  if (groups.size < 2) return [...found];
  return [...groups].flatMap(([name, rows]): TreeRow[] => {
    const isOpen = !closed.has(name);
    const head: NamespaceRow = { kind: "namespace", name, streams: rows.map((row) => row.stream), isOpen };
    return isOpen ? [head, ...rows] : [head];
  });
}

/** Whether a stream's name is a pattern. */
export function isPattern(name: string): boolean {
  return /[*?]/.test(name);
}

/** Whether a type holds numbers, which stand at the right. */
export function isNumeric(type: string): boolean {
  return /^(u?int\d+|float\d+|decimal|number)/.test(type);
}
