import { expect, test } from "vitest";
import { positionText } from "./position-text";

test("a position is told in a few words", () => {
  expect(positionText(null)).toBe("");
  expect(positionText({ cursor: { timestamp: "2026-01-01T00:00:00Z" } })).toBe("2026-01-01T00:00:00Z");
  expect(positionText({ files: ["a", "b"] })).toBe("2 files");
  expect(positionText({ column: "id", value: 7 })).toBe("column id, value 7");
});
