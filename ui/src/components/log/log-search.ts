import type { LogFilter, LogLine, LogPage } from "../../api/model-logs";

/** What is looked for in a log. */
export interface LogQuery {
  text: string;
  lines: "" | "error" | "warn" | "err" | "sys";
}

/** The longest text that the server looks for. */
export const TEXT_MAX = 1_000;
/** Matches that are found at once; of the rest somebody has to want more. */
export const MATCHES_STEP = 500;
/** Matches that are kept. */
export const MATCHES_MAX = 5_000;

export interface Found {
  lines: LogLine[];
  /** Lines that were looked at. */
  looked: number;
  /** Whether those are all. */
  isDone: boolean;
}

export function isAsked(query: LogQuery): boolean {
  return query.text !== "" || query.lines !== "";
}

/** What the server is asked for. */
export function filterOf({ text, lines }: LogQuery): LogFilter {
  return {
    ...(text && { contains: text }),
    ...((lines === "error" || lines === "warn") && { level: lines }),
    ...((lines === "err" || lines === "sys") && { stream: lines }),
  };
}

const RANKS = { info: 0, warn: 1, error: 2 };

/** Whether the server would find a line; for lines that are written meanwhile. */
export function isMeant({ level, stream, contains }: LogFilter, line: LogLine): boolean {
  if (level && RANKS[line.level] < RANKS[level]) return false;
  if (stream && line.stream !== stream) return false;
  return !contains || line.text.toLowerCase().includes(contains.toLowerCase());
}

/** Reads the matches from a line on. */
export type ReadMatches = (
  from: number,
  limit: number,
) => Promise<Pick<LogPage, "lines" | "next" | "is_end">>;

/** A search through one log: the server finds, a page at a time; lines that are written meanwhile are looked at here. */
export class LogSearch {
  private found: Found = { lines: [], looked: 0, isDone: false };
  private isReading = false;
  /** Behind the last line that is known to be written. */
  private written = 0;

  constructor(
    private readonly filter: LogFilter,
    private readonly read: ReadMatches,
    private readonly tell: (found: Found) => void,
  ) {}

  /** Finds some more, if there are any and they can be kept. */
  async more(): Promise<void> {
    if (this.isReading) return;
    this.isReading = true;
    const wanted = Math.min(this.found.lines.length + MATCHES_STEP, MATCHES_MAX);
    try {
      while (!this.found.isDone && this.found.lines.length < wanted) await this.readPage(wanted);
    } finally {
      this.isReading = false;
    }
  }

  /** Looks at a line that was written just now. */
  look(line: LogLine): void {
    this.written = Math.max(this.written, line.number + 1);
    // what was not looked at yet is found by the server
    if (!this.found.isDone || line.number < this.found.looked) return;
    this.found.looked = line.number + 1;
    if (!isMeant(this.filter, line) || this.found.lines.length >= MATCHES_MAX) return;
    this.put([...this.found.lines, line], this.found.looked, true);
  }

  private async readPage(wanted: number): Promise<void> {
    const { lines, looked } = this.found;
    const page = await this.read(looked, wanted - lines.length);
    // lines can be written between the answer and the moment at which they are listened to
    const isEnd = page.is_end && this.written <= page.next;
    this.put([...lines, ...page.lines], page.next, isEnd || page.next <= looked);
  }

  private put(lines: LogLine[], looked: number, isDone: boolean): void {
    this.found = { lines, looked, isDone };
    this.tell({ ...this.found });
  }
}
