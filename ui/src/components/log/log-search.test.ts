import { expect, test } from "vitest";
import type { LogLine } from "../../api/model-logs";
import { filterOf, isMeant, LogSearch, MATCHES_STEP, type Found, type ReadMatches } from "./log-search";

const line = (number: number, more: Partial<LogLine> = {}): LogLine => ({
  number,
  stream: "out",
  level: "info",
  text: `line ${number}`,
  ...more,
});

/** A log of which every tenth line is a match, and of which a request looks at so many lines at most. */
function server(total: number, lookedAtMax: number): { read: ReadMatches; asked: number[] } {
  const asked: number[] = [];
  const read: ReadMatches = (from, limit) => {
    asked.push(from);
    const lines: LogLine[] = [];
    let next = from;
    for (; next < Math.min(total, from + lookedAtMax) && lines.length < limit; next += 1)
      if (next % 10 === 7) lines.push(line(next));
    return Promise.resolve({ lines, next, is_end: next === total });
  };
  return { read, asked };
}

test("it is the server that is asked, by level, stream and text", () => {
  expect(filterOf({ text: "", lines: "" })).toEqual({});
  expect(filterOf({ text: "Größe", lines: "warn" })).toEqual({ contains: "Größe", level: "warn" });
  expect(filterOf({ text: "", lines: "sys" })).toEqual({ stream: "sys" });
});

test("pages are read to the end, also where some of them hold no match", async () => {
  const { read, asked } = server(40, 5);
  const told: Found[] = [];
  await new LogSearch({}, read, (found) => told.push(found)).more();
  expect(asked).toEqual([0, 5, 10, 15, 20, 25, 30, 35]);
  expect(told[0]).toEqual({ lines: [], looked: 5, isDone: false });
  expect(told.at(-1)?.lines.map(({ number }) => number)).toEqual([7, 17, 27, 37]);
  expect(told.at(-1)).toMatchObject({ looked: 40, isDone: true });
});

test("of a log with many matches only so many are read as somebody wants to see", async () => {
  const { read } = server(1_000_000, 100_000);
  let found: Found | null = null as Found | null;
  const search = new LogSearch({}, read, (told) => (found = told));
  await search.more();
  expect(found?.lines).toHaveLength(MATCHES_STEP);
  expect(found?.isDone).toBe(false);
  await search.more();
  expect(found?.lines).toHaveLength(2 * MATCHES_STEP);
  expect(found?.lines.at(-1)?.number).toBe(9_997);
});

test("lines that are written meanwhile are neither missed nor found twice", async () => {
  let total = 20;
  let found: Found | null = null as Found | null;
  const search: LogSearch = new LogSearch(
    { contains: "line" },
    (from, limit) => {
      const page = server(total, 100).read(from, limit);
      // told before the page is here, and written behind it
      if (total === 20) search.look(line(27));
      total = 30;
      return page;
    },
    (told) => (found = told),
  );
  await search.more();
  expect(found?.lines.map(({ number }) => number)).toEqual([7, 17, 27]);
  search.look(line(27));
  search.look(line(30));
  search.look(line(31, { text: "something else" }));
  expect(found?.lines.map(({ number }) => number)).toEqual([7, 17, 27, 30]);
});

test("a line is meant as the server means it: a level at least, and case never counts", () => {
  expect(isMeant({ level: "warn" }, line(1, { level: "error" }))).toBe(true);
  expect(isMeant({ level: "error" }, line(1, { level: "warn" }))).toBe(false);
  expect(isMeant({ stream: "err" }, line(1, { stream: "sys" }))).toBe(false);
  expect(isMeant({ contains: "LINE 1" }, line(1))).toBe(true);
});
