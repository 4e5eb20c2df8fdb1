import { expect, test } from "vitest";
import { instantOf } from "./spans";

test("a span begins on a full minute, an instant is itself", () => {
  const now = Date.parse("2026-03-02T12:00:40Z");
  expect(instantOf("24h", now)).toBe("2026-03-01T12:00:00.000Z");
  expect(instantOf("2026-01-01T00:00:00Z", now)).toBe("2026-01-01T00:00:00Z");
});
