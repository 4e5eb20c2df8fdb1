import { expect, test } from "vitest";
import { positionText } from "./position-text";

test("a position is told in a few words", () => {
  expect(positionText(null)).toBe("");
  expect(positionText({ cursor: "2026-01-01T00:00:00Z" })).toBe("2026-01-01T00:00:00Z");
  expect(positionText({ files: { "a.csv": [1, 2], "b.csv": [1, 2] } })).toBe("2 files");
  expect(positionText({})).toBe("");
});

test("of a cursor only its value is told, of other positions what they are made of", () => {
  expect(positionText({ column: "updated_at", cursor: "2026-01-01T00:00:00Z" })).toBe("2026-01-01T00:00:00Z");
  expect(positionText({ column: "id", cursor: 0 })).toBe("0");
  expect(positionText({ lsn: "0/16B3748", slot: 1, at: null })).toBe("lsn 0/16B3748, slot 1");
});
