import type { LogLine } from "../../api/live";
import { levelOf, type Level } from "./log-level";

/** What is looked for in a log. */
export interface LogQuery {
  text: string;
  level: "" | "error" | "warn" | "err" | "sys";
}

/** Matches that are kept; of more, only their number is known. */
export const MATCHES_MAX = 5_000;
/** How often a search tells how far it is. */
const TELL_BYTES = 4 << 20;

const RANKS: Record<Level, number> = { none: 0, warn: 1, error: 2 };

export interface Found {
  lines: LogLine[];
  /** All matches, also those that were not kept. */
  count: number;
  /** Lines that were looked at. */
  looked: number;
  isDone: boolean;
}

export function isAsked(query: LogQuery): boolean {
  return query.text !== "" || query.level !== "";
}

/** Tells whether a line is meant. Case counts only if the query has capitals. */
export function matcher({ text, level }: LogQuery): (line: Pick<LogLine, "stream" | "text">) => boolean {
  const isExact = text !== text.toLowerCase();
  return (line) => {
    if (level === "err" || level === "sys") {
      if (!isStream(line.stream, level)) return false;
    } else if (level && RANKS[levelOf(line)] < RANKS[level]) return false;
    return text === "" || (isExact ? line.text : line.text.toLowerCase()).includes(text);
  };
}

/** Whether a line is of a stream; some answers say `err`, some `stderr`. */
function isStream(stream: string, wanted: "err" | "sys"): boolean {
  return stream.endsWith(wanted);
}

/** Looks through a whole log as it comes, and holds nothing of it but the matches. */
export async function search(
  log: ReadableStream<Uint8Array>,
  query: LogQuery,
  tell: (found: Found) => void,
  signal: AbortSignal,
): Promise<void> {
  const isMeant = matcher(query);
  const found: Found = { lines: [], count: 0, looked: 0, isDone: false };
  const decoder = new TextDecoder();
  const reader = log.getReader();
  let [rest, silent] = ["", 0];
  const look = (text: string) => {
    const line = parsed(text, found.looked);
    found.looked += 1;
    if (!isMeant(line)) return;
    found.count += 1;
    if (found.lines.length < MATCHES_MAX) found.lines.push(line);
  };
  for (;;) {
    const { done, value } = await reader.read();
    if (signal.aborted) return void reader.cancel();
    const texts = (rest + (done ? decoder.decode() : decoder.decode(value, { stream: true }))).split("\n");
    rest = texts.pop() ?? "";
    texts.forEach(look);
    silent += value?.length ?? 0;
    if (done) break;
    if (silent >= TELL_BYTES) {
      silent = 0;
      tell({ ...found, lines: [...found.lines] });
    }
  }
  tell({ ...found, isDone: true });
}

/** A line as the file has it: the instant, who wrote it, and what it says. */
function parsed(text: string, number: number): LogLine {
  const [, at, stream, said] = /^(\S+) (out|err|sys) ?(.*)$/s.exec(text) ?? [];
  return at && stream ? { number, at, stream, text: said ?? "" } : { number, at: null, stream: "out", text };
}
