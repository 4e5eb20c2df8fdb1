import { expect, test } from "vitest";
import { bytes, compact, count, percent, plural } from "./numbers";

test("numbers are grouped", () => {
  expect(count(1234567)).toBe("1,234,567");
  expect(compact(1234567)).toBe("1.2M");
  expect(plural(1, "run")).toBe("1 run");
  expect(plural(2000, "query", "queries")).toBe("2,000 queries");
});

test("sizes have three digits at most and never four before the point", () => {
  expect(bytes(0)).toBe("0 B");
  expect(bytes(999)).toBe("999 B");
  expect(bytes(1234)).toBe("1.23 KB");
  expect(bytes(999_600)).toBe("1.00 MB");
  expect(bytes(45_600_000_000)).toBe("45.6 GB");
});

test("a part that is not the whole is never shown as one", () => {
  expect(percent(1)).toBe("100 %");
  expect(percent(0.9999)).toBe("99 %");
  expect(percent(0.0001)).toBe("1 %");
  expect(percent(0)).toBe("0 %");
});
