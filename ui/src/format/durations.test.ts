import { expect, test } from "vitest";
import { duration, elapsed, exact, relative } from "./durations";

test("durations have two units at most, and never 60 of one", () => {
  expect(duration(0)).toBe("0 ms");
  expect(duration(840)).toBe("840 ms");
  expect(duration(12_440)).toBe("12.4 s");
  expect(duration(59_960)).toBe("1 min");
  expect(duration(185_000)).toBe("3 min 5 s");
  expect(duration(3_599_800)).toBe("1 h");
  expect(duration(7_440_000)).toBe("2 h 4 min");
  expect(duration(86_399_000)).toBe("1 d");
  expect(duration(25 * 3_600_000 * 3)).toBe("3 d 3 h");
});

test("what still grows shows whole seconds", () => {
  expect(elapsed(-5)).toBe("0 s");
  expect(elapsed(12_900)).toBe("12 s");
  expect(elapsed(61_900)).toBe("1 min 1 s");
});

test("instants are told from now", () => {
  const now = Date.parse("2026-03-01T12:00:00Z");
  expect(relative(now - 500, now)).toBe("just now");
  expect(relative(now - 12_000, now)).toBe("12 s ago");
  expect(relative(now + 185_000, now)).toBe("in 3 min");
  expect(relative(now - 5 * 86_400_000, now)).toBe("5 d ago");
});

test("the exact instant is told in a zone", () => {
  expect(exact(Date.parse("2026-03-01T12:00:09Z"), "Europe/Berlin")).toBe("2026-03-01 13:00:09 CET");
});
