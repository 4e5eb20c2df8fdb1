import { expect, test } from "vitest";
import { foundText, verdictLook, worstFirst } from "./verdict";

const count = (n: number) => n.toLocaleString("en");

test("what was found is a value, or how many of how many rows are wrong", () => {
  expect(foundText({ found: "2026-01-01", rows: 5, failed: 1 }, count)).toBe("2026-01-01");
  expect(foundText({ found: null, rows: 12_000, failed: 1_500 }, count)).toBe("1,500 of 12,000 wrong");
  expect(foundText({ found: null, rows: null, failed: 3 }, count)).toBe("3 wrong");
});

test("what did not pass comes first", () => {
  const tests = (["passed", "failed", "passed", "warned", "failed"] as const).map((verdict, n) => ({
    verdict,
    n,
  }));
  expect(worstFirst(tests).map(({ n }) => n)).toEqual([1, 4, 3, 0, 2]);
  expect(verdictLook("warned").word).toBe("Warned");
});
