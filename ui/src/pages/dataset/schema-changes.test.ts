import { expect, test } from "vitest";
import type { DatasetSchema } from "../../api/model";
import { changesBetween } from "./schema-changes";

function version(columns: [string, string, boolean?][]): DatasetSchema {
  return {
    version: 1,
    seen_at: "2026-01-01T00:00:00Z",
    run: 1,
    left_out: 0,
    columns: columns.map(([name, type, key = false]) => ({ name, type, nullable: !key, key })),
  };
}

test("columns that came, went and became others are told", () => {
  const before = version([
    ["id", "int32", true],
    ["name", "text"],
    ["notes", "text"],
  ]);
  const after = version([
    ["id", "int64", true],
    ["name", "text"],
    ["email", "text"],
  ]);
  expect(changesBetween(before, after)).toEqual([
    { kind: "changed", column: "id", type: "int32, never null, key to int64, never null, key" },
    { kind: "added", column: "email", type: "text" },
    { kind: "removed", column: "notes", type: "text" },
  ]);
});

test("the first version changes nothing, and neither does another order", () => {
  const one = version([
    ["a", "text"],
    ["b", "text"],
  ]);
  expect(changesBetween(undefined, one)).toEqual([]);
  expect(
    changesBetween(
      one,
      version([
        ["b", "text"],
        ["a", "text"],
      ]),
    ),
  ).toEqual([]);
});
