import { expect, test } from "vitest";
import { sinceOf } from "./filters";

test("a span goes back from the whole minute, and an instant stays as it is", () => {
  const now = Date.parse("2026-03-01T12:00:42Z");
  expect(sinceOf("1h", now)).toBe("2026-03-01T11:00:00.000Z");
  expect(sinceOf("24h", now)).toBe("2026-02-28T12:00:00.000Z");
  expect(sinceOf("2026-01-01T00:00:00Z", now)).toBe("2026-01-01T00:00:00Z");
});
