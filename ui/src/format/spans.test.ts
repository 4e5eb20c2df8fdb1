import { expect, test } from "vitest";
import { fieldOf, instantOf, ofField } from "./spans";

test("a span begins on a full minute, an instant is itself", () => {
  const now = Date.parse("2026-03-02T12:00:40Z");
  expect(instantOf("24h", now)).toBe("2026-03-01T12:00:00.000Z");
  expect(instantOf("2026-01-01T00:00:00Z", now)).toBe("2026-01-01T00:00:00Z");
});

test("an instant comes back from its field as it was, to the minute", () => {
  for (const instant of ["2026-01-15T23:30:00.000Z", "2026-07-15T00:10:00.000Z"])
    expect(ofField(fieldOf(instant))).toBe(instant);
  expect(fieldOf("2026-01-15T23:30:40Z")).toMatch(/^2026-01-1[456]T\d\d:\d\d$/);
});

test("what is no instant is none", () => {
  expect(ofField("")).toBeUndefined();
  expect(fieldOf("yesterday")).toBe("");
});
