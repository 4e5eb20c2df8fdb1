import type { QueryValue } from "../../api/queries/sql";

/** What hides text from SQL: texts, quoted names and comments. */
const HIDDEN = /'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*[\s\S]*?\*\//g;
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?$/;
/** More digits than a number of JSON surely keeps. */
const DIGITS_MAX = 15;

/** The text with as many spaces in place of whatever is no SQL by itself, so that every place stays where it is. */
export function bare(sql: string): string {
  return sql.replace(HIDDEN, (hidden) => " ".repeat(hidden.length));
}

/** The parameters that a query names, each once, in their order. */
export function paramsOf(sql: string): string[] {
  const names = [...bare(sql).matchAll(/\$([A-Za-z_]\w*)/g)].flatMap(([, name]) => name ?? []);
  return [...new Set(names)];
}

/**
 * The value of a parameter as it is typed: a number, `true`, `false` and `null` are that, and everything else a text, also
 * a number with more digits than would arrive.
 */
export function valueOf(text: string): QueryValue {
  if (text === "null") return null;
  if (text === "true" || text === "false") return text === "true";
  const digits = text.replace(/\D/g, "").length;
  return NUMBER.test(text) && digits <= DIGITS_MAX ? Number(text) : text;
}
