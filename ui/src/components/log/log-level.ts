import type { LogLine } from "../../api/live";

export type Level = "error" | "warn" | "none";

const ERROR =
  /\b(?:ERROR|FATAL|CRITICAL|PANIC|SEVERE)\b|\b(?:[Ee]rror|[Tt]raceback|[Ee]xception)\b[:\s(]|^error\b/;
const WARNING = /\bWARN(?:ING)?\b|^\s*[Ww]arning\b[:\s]/;
/** Words that tell a level stand near the beginning. */
const LOOKED_AT = 200;

/** How serious a line is, by the words that programs use. */
export function levelOf({ text }: Pick<LogLine, "text">): Level {
  const start = text.length > LOOKED_AT ? text.slice(0, LOOKED_AT) : text;
  if (ERROR.test(start)) return "error";
  return WARNING.test(start) ? "warn" : "none";
}

const ESCAPES = /\u001b\[[0-9;?]*[A-Za-z]|\u001b\][^\u0007]*\u0007/g;

/** What a line says, without the codes that colour it in a terminal. */
export function plain(text: string): string {
  return text.includes("\u001b") ? text.replaceAll(ESCAPES, "") : text;
}
