import { expect, test } from "vitest";
import { defaultMode, impossible, likelyCursor, modeOf, needsCursor, type Facts } from "./modes";

const ORDERS: Facts = {
  key: ["id"],
  cursors: ["id", "total", "created_at", "updated_at"],
  columns: [
    { name: "id", type: "int64" },
    { name: "total", type: "decimal(10,2)" },
    { name: "created_at", type: "timestamptz" },
    { name: "updated_at", type: "timestamp" },
  ],
  ownOrder: false,
  writes: ["replace", "append", "merge"],
  destination: "PostgreSQL",
};

test("where a column tells what has changed and rows have a key, that is the default", () => {
  expect(defaultMode(ORDERS)).toBe("changes");
  expect(likelyCursor(ORDERS)).toBe("updated_at");
  expect(defaultMode({ ...ORDERS, cursors: ["id", "created_at"] })).toBe("replace");
  expect(likelyCursor({ ...ORDERS, cursors: ["id", "total"] })).toBe("id");
  expect(likelyCursor({ ...ORDERS, cursors: ["total"] })).toBeUndefined();
});

test("what is impossible says why", () => {
  expect(impossible("changes", ORDERS)).toBeUndefined();
  expect(impossible("merge", { ...ORDERS, key: [] })).toBe("needs a key");
  expect(impossible("new", { ...ORDERS, cursors: [] })).toMatch("tells what is new");
  expect(impossible("new", { ...ORDERS, cursors: [], ownOrder: true })).toBeUndefined();
  const files: Facts = { ...ORDERS, writes: ["replace", "append"], destination: "Files" };
  expect(impossible("changes", files)).toBe("Files cannot be updated by key");
  expect(defaultMode(files)).toBe("replace");
});

test("a source with an order of its own needs no cursor", () => {
  expect(needsCursor("new", { ownOrder: true })).toBe(false);
  expect(needsCursor("new", { ownOrder: false })).toBe(true);
  expect(needsCursor("replace", { ownOrder: false })).toBe(false);
});

test("the words of a document are a mode", () => {
  expect(modeOf(undefined, undefined, false)).toBe("replace");
  expect(modeOf("incremental", undefined, false)).toBe("new");
  expect(modeOf("incremental", undefined, true)).toBe("changes");
  expect(modeOf("incremental", "replace", true)).toBeUndefined();
});
