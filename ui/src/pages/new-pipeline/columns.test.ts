import { expect, test } from "vitest";
import { columnMistakes, neededFor, unhashable, withColumn, withHash } from "./columns";
import { newStream } from "./draft";
import type { Facts } from "./modes";

const FACTS: Facts = {
  key: ["id"],
  cursors: ["at"],
  columns: ["id", "at", "email", "total"].map((name) => ({ name, type: "text" })),
  ownOrder: false,
  writes: ["replace", "append", "merge"],
  destination: "PostgreSQL",
};

test("key and cursor stay what they are", () => {
  const stream = { ...newStream("t", "changes"), cursor: "at" };
  expect(neededFor("id", stream, FACTS)).toMatch("key");
  expect(neededFor("email", stream, FACTS)).toBeUndefined();
  expect(neededFor("id", newStream("t"), FACTS)).toBeUndefined();
  expect(unhashable("at", stream)).toMatch("what is new");
  expect(columnMistakes({ ...stream, exclude: ["id"], hash: ["at"] }, FACTS)).toEqual({
    id: "It has to be loaded. It is part of the key.",
    at: "It cannot be hashed. It tells what is new.",
  });
});

test("a column that is left out, or hashed, loses what no longer applies", () => {
  const stream = { ...newStream("t"), renames: { email: "mail" }, casts: { email: "text" } };
  expect(withColumn(stream, "email", false)).toEqual({
    exclude: ["email"],
    renames: {},
    casts: {},
    hash: [],
  });
  expect(withHash(stream, "email", true)).toEqual({ hash: ["email"], casts: {} });
});

test("names that clash and types that are none are told", () => {
  expect(columnMistakes({ ...newStream("t"), renames: { email: "total" } }, FACTS)).toEqual({
    total: "email is called total too.",
  });
  const casts = { id: "int64", total: "decimal(12,2)", email: "varchar" };
  expect(columnMistakes({ ...newStream("t"), casts }, FACTS)).toEqual({ email: "varchar is not a type." });
});
