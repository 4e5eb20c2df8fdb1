import type { LogLine } from "../../api/model-logs";

/** Lines that are asked for at once. */
export const PAGE_LINES = 500;
/** Pages that are kept: so much of a log is in memory, however long it is. */
const PAGES_MAX = 24;

/** A part of a log that may be far too long to hold: pages of lines around the place that is looked at. */
export class LogWindow {
  /** How many lines the log has. */
  total = 0;
  /** Counts changes, so that a view knows when to draw. */
  version = 0;
  private readonly pages = new Map<number, Map<number, LogLine>>();

  /** A line, if it is here. */
  line(number: number): LogLine | undefined {
    return this.pages.get(Math.floor(number / PAGE_LINES))?.get(number);
  }

  /** Takes lines in; the log has at least as many as the number of the last. */
  put(lines: readonly LogLine[], total = 0): void {
    for (const line of lines) {
      const page = Math.floor(line.number / PAGE_LINES);
      const known = this.pages.get(page) ?? new Map<number, LogLine>();
      known.set(line.number, line);
      // the page that was used last is the last to go
      this.pages.delete(page);
      this.pages.set(page, known);
    }
    this.total = Math.max(this.total, total, (lines.at(-1)?.number ?? -1) + 1);
    for (const page of this.pages.keys()) {
      if (this.pages.size <= PAGES_MAX) break;
      this.pages.delete(page);
    }
    this.version += 1;
  }

  /** The first gap between two lines, as what to ask for; null if all of it is here. */
  gap(from: number, to: number): { from: number; limit: number } | null {
    const end = Math.min(to, this.total);
    for (let number = Math.max(0, from); number < end; number += 1) {
      if (this.line(number)) continue;
      const pageEnd = (Math.floor(number / PAGE_LINES) + 1) * PAGE_LINES;
      let last = number;
      while (last < Math.min(pageEnd, this.total) && !this.line(last)) last += 1;
      return { from: number, limit: last - number };
    }
    return null;
  }

  /** Lines that are in memory. */
  get held(): number {
    return [...this.pages.values()].reduce((sum, page) => sum + page.size, 0);
  }
}
