import type { Diagnostic } from "@codemirror/lint";
import type { Mistake } from "../../api/error";

/** Mistakes whose places are lines and columns of the query, at these places of the text. */
export function diagnosticsOf(sql: string, mistakes: readonly Mistake[]): Diagnostic[] {
  return mistakes.flatMap((mistake): Diagnostic[] => {
    const from = mistake.place.map((place) => offsetOf(sql, place)).find((offset) => offset !== null);
    if (from === undefined || from === null) return [];
    const word = /^[\w$]+|^./.exec(sql.slice(from))?.[0].length ?? 0;
    return [{ from, to: from + word, severity: "error", message: `${mistake.message}. ${mistake.advice}` }];
  });
}

/** Where a place such as `line 2, column 5` is in a text; null if it is no such place. Columns count characters, not units. */
export function offsetOf(sql: string, place: string): number | null {
  const [, line, column] = /^line (\d+), column (\d+)$/.exec(place) ?? [];
  if (!line || !column) return null;
  const lines = sql.split("\n");
  const before = lines.slice(0, Number(line) - 1).reduce((sum, text) => sum + text.length + 1, 0);
  const within = [...(lines[Number(line) - 1] ?? "")].slice(0, Number(column) - 1).join("").length;
  return Math.min(before + within, sql.length);
}
