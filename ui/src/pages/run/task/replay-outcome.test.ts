import { expect, test } from "vitest";
import { replayOutcome } from "./replay-outcome";

const title = (read: number, written: number) =>
  replayOutcome({ read, written, rejected: read - written }).title;

test("what became of rows stands in a sentence", () => {
  expect(title(0, 0)).toBe("No rows were left to load.");
  expect(title(1, 1)).toBe("The row is loaded.");
  expect(title(12, 12)).toBe("All 12 rows are loaded.");
  expect(title(1, 0)).toBe("1 row still does not fit.");
  expect(title(3, 1)).toBe("1 row of 3 is loaded, 2 still do not fit.");
  expect(title(3, 2)).toBe("2 rows of 3 are loaded, 1 still does not fit.");
});

test("rows that do not fit need something to be done", () => {
  expect(replayOutcome({ read: 2, written: 2, rejected: 0 })).toMatchObject({
    tone: "ok",
    advice: undefined,
  });
  expect(replayOutcome({ read: 2, written: 1, rejected: 1 })).toMatchObject({
    tone: "warn",
    advice: expect.stringContaining("load them again"),
  });
});
