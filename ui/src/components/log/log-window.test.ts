import { expect, test } from "vitest";
import { LogWindow, PAGE_LINES } from "./log-window";

function lines(from: number, count: number) {
  return Array.from({ length: count }, (_, index) => ({
    number: from + index,
    stream: "out" as const,
    level: "info" as const,
    text: `line ${from + index}`,
  }));
}

test("a gap is told up to the end of its page, and no further than what is known", () => {
  const log = new LogWindow();
  log.put([], 2_000_000);
  expect(log.gap(0, 100)).toEqual({ from: 0, limit: PAGE_LINES });
  log.put(lines(0, 120));
  expect(log.gap(0, 100)).toBeNull();
  // long lines made the answer shorter than asked for
  expect(log.gap(100, 200)).toEqual({ from: 120, limit: PAGE_LINES - 120 });
  expect(log.gap(1_999_990, 2_000_100)).toEqual({ from: 1_999_990, limit: 10 });
});

test("however long the log is, only a part of it is held", () => {
  const log = new LogWindow();
  log.put([], 2_000_000);
  for (let from = 0; from < 500_000; from += PAGE_LINES) log.put(lines(from, PAGE_LINES));
  expect(log.held).toBeLessThanOrEqual(24 * PAGE_LINES);
  expect(log.line(499_999)?.text).toBe("line 499999");
  expect(log.line(0)).toBeUndefined();
});

test("lines that are written meanwhile make it longer", () => {
  const log = new LogWindow();
  log.put(lines(0, 3));
  log.put(lines(3, 2));
  expect(log.total).toBe(5);
});
