import { ApiError } from "../../../api/error";

/** What became of the rows of an upload. */
export interface Told {
  rows: number;
  inserted: number;
  changed: number;
  failed: number;
}

/** Why a row was refused. */
export interface Failure {
  /** Counted from 1, as people count; the line with the names is not one of them. */
  row: number;
  column: string;
  message: string;
}

interface Answer extends Told {
  failures?: { row: number; errors: { column?: string | null; message: string }[] }[];
}

/** The failures of rows in an answer that kept the others. */
export function failuresOf(answer: Answer): Failure[] {
  return (answer.failures ?? []).flatMap(({ row, errors }) =>
    errors.map(({ column, message }) => ({ row: row + 1, column: column ?? "", message })),
  );
}

/** The failures of rows in a refusal of all of them: their places are `["row 3", "name"]`, counted from zero. */
export function refusalsOf(error: unknown): Failure[] {
  if (!(error instanceof ApiError)) return [];
  return error.mistakes.flatMap(({ place, message }) => {
    const row = /^row (\d+)$/.exec(place[0] ?? "")?.[1];
    return row === undefined ? [] : [{ row: Number(row) + 1, column: place[1] ?? "", message }];
  });
}

/** The failures as a CSV file. */
export function csvOf(failures: Failure[]): string {
  const field = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const lines = failures.map(({ row, column, message }) =>
    [String(row), column, message].map(field).join(","),
  );
  return ["row,column,message", ...lines, ""].join("\r\n");
}

/** The media type of rows: JSON lines where the text begins as an object does, or the name says so. */
export function mediaTypeOf(name: string, start: string): "text/csv" | "application/x-ndjson" {
  if (/\.(jsonl|ndjson)$/i.test(name)) return "application/x-ndjson";
  if (/\.csv$/i.test(name)) return "text/csv";
  return start.trimStart().startsWith("{") ? "application/x-ndjson" : "text/csv";
}
