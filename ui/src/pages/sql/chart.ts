import type { QueryAnswer } from "../../api/model";
import { isNumeric } from "../../format/stream-tree";

/** What a chart shows of an answer. */
export interface AnswerChart {
  /** What stands below: the first column, or the numbers of the rows. */
  x: { name: string; kind: "number" | "time" | "word"; values: number[]; words: string[] };
  series: { name: string; values: (number | null)[] }[];
  /** Rows that have no place in it. */
  leftOut: number;
}

/** Lines in one chart; more cannot be told apart. */
const SERIES_MAX = 4;

/**
 * The first column along the bottom, and the columns of numbers as lines. Numbers and instants stand where they belong,
 * in their order; words stand in the order of the rows. Answers in words why there is nothing to draw.
 */
export function chartOf({ columns, rows }: QueryAnswer): AnswerChart | string {
  const numeric = columns.flatMap((column, at) => (isNumeric(column.type) ? [at] : []));
  if (rows.length === 0) return "There are no rows to draw.";
  if (numeric.length === 0) return "There is no column of numbers to draw.";
  const isAlone = columns.length === 1;
  const lines = (isAlone ? numeric : numeric.filter((at) => at > 0)).slice(0, SERIES_MAX);
  if (lines.length === 0) return "There is no column of numbers behind the first one to draw.";
  const first = columns[0];
  const kind = isAlone || !first ? "word" : kindOf(first.type);
  const points = rows.flatMap((row, index) => {
    const x = isAlone ? index + 1 : placeOf(kind, first?.type ?? "", row[0] ?? null, index);
    const ys = lines.map((at) => numberOf(row[at] ?? null));
    return x === null ? [] : [{ x, word: isAlone ? String(index + 1) : (row[0] ?? "null"), ys }];
  });
  if (kind !== "word") points.sort((one, other) => one.x - other.x);
  return {
    x: {
      name: isAlone ? "row" : (first?.name ?? ""),
      kind,
      values: points.map((point) => point.x),
      words: points.map((point) => point.word),
    },
    series: lines.map((at, line) => ({
      name: columns[at]?.name ?? "",
      values: points.map((point) => point.ys[line] ?? null),
    })),
    leftOut: rows.length - points.length,
  };
}

function kindOf(type: string): AnswerChart["x"]["kind"] {
  if (isNumeric(type)) return "number";
  return type === "date" || type.startsWith("timestamp") ? "time" : "word";
}

function placeOf(
  kind: AnswerChart["x"]["kind"],
  type: string,
  text: string | null,
  row: number,
): number | null {
  if (kind === "word") return row;
  if (text === null) return null;
  if (kind === "number") return numberOf(text);
  const hasZone = type.startsWith("timestamptz");
  const instant = Date.parse(type === "date" ? text : text.replace(" ", "T") + (hasZone ? "" : "Z"));
  return Number.isFinite(instant) ? instant / 1000 : null;
}

function numberOf(text: string | null): number | null {
  const value = text === null || text === "" ? Number.NaN : Number(text);
  return Number.isFinite(value) ? value : null;
}
