import { isRow } from "../../format/rows";
import type { Row } from "../../api/data";
import type { Collection, CollectionColumn } from "../../api/model";

export type Kind =
  "text" | "integer" | "bigint" | "decimal" | "float" | "boolean" | "date" | "timestamp" | "uuid" | "json";

/** The kind of a type: `decimal` of `decimal(10,2)`. */
export function kindOf(type: string): Kind {
  return type.replace(/\(.*/, "") as Kind;
}

export function isNumber(type: string): boolean {
  return ["integer", "bigint", "decimal", "float"].includes(kindOf(type));
}

/** A value as people read and type it; nothing for no value. */
export function textOf(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** What was typed as a value, or what is wrong with it. Nothing typed is no value. The server checks all else. */
export function valueOf(type: string, text: string): { value: unknown } | { error: string } {
  if (text.trim() === "") return { value: null };
  switch (kindOf(type)) {
    case "integer":
    case "bigint":
      if (!/^\s*-?\d+\s*$/.test(text)) return { error: "This is a whole number, such as 42." };
      return { value: Number.isSafeInteger(Number(text)) ? Number(text) : text.trim() };
    case "decimal":
      return /^\s*-?\d+(\.\d+)?\s*$/.test(text)
        ? { value: text.trim() }
        : { error: "This is a number, such as 12.50." };
    case "float":
      return Number.isFinite(Number(text))
        ? { value: Number(text) }
        : { error: "This is a number, such as 0.5." };
    case "boolean":
      return text === "true" || text === "false"
        ? { value: text === "true" }
        : { error: "This is true or false." };
    case "json":
      try {
        return { value: JSON.parse(text) as unknown };
      } catch {
        return { error: 'This is no JSON. A text needs quotes: "text".' };
      }
    default:
      return { value: text };
  }
}

/** The column by which people know a row: a unique text if there is one, or the first text. */
export function labelColumn(collection: Collection | undefined): string {
  const texts = collection?.columns.filter((column) => kindOf(column.type) === "text") ?? [];
  return (texts.find((column) => column.unique) ?? texts[0])?.name ?? "";
}

/** What stands for the row that a reference names: its name, or its key. */
export function referenceLabel(value: unknown, target: Collection | undefined): string {
  if (!isRow(value)) return textOf(value);
  const label = value[labelColumn(target)];
  return textOf(label ?? value[target?.key ?? "id"]);
}

/** The key of a reference, expanded or not. */
export function referenceKey(value: unknown, column: CollectionColumn): unknown {
  return isRow(value) ? value[column.references?.column ?? "id"] : value;
}

/** The values of a row as the fields of a form have them. */
export function textsOf(collection: Collection, row: Row): Record<string, string> {
  return Object.fromEntries(
    collection.columns.map((column) => [
      column.name,
      textOf(column.references ? referenceKey(row[column.name], column) : row[column.name]),
    ]),
  );
}

/** What else holds for the values of a column, in words. */
export function rulesOf(column: CollectionColumn): string[] {
  const { min, max, min_length: short, max_length: long, pattern, one_of: oneOf } = column;
  return [
    column.required ? "required" : "",
    column.unique ? "unique" : "",
    has(min) && has(max)
      ? `${textOf(min)} to ${textOf(max)}`
      : has(min)
        ? `at least ${textOf(min)}`
        : has(max)
          ? `at most ${textOf(max)}`
          : "",
    short && long
      ? `${short} to ${long} characters`
      : short
        ? `${short} characters or more`
        : long
          ? `at most ${long} characters`
          : "",
    pattern ? `matches ${pattern}` : "",
    oneOf.length > 0 ? `one of ${oneOf.map(textOf).join(", ")}` : "",
    has(column.default) ? `${textOf(column.default)} unless given` : "",
  ].filter(Boolean);
}

function has(value: unknown): boolean {
  return value !== null && value !== undefined;
}
