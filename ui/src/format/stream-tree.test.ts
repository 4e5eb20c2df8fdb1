import { expect, test } from "vitest";
import type { StreamFound } from "../api/model";
import { isNumeric, isPattern, searchStreams, treeRows } from "./stream-tree";

function stream(name: string, columns: string[] = []): StreamFound {
  const [namespace, table] = name.includes(".") ? name.split(".") : [null, name];
  return {
    stream: name,
    namespace: namespace ?? null,
    table: table ?? name,
    key: [],
    cursors: [],
    columns: columns.map((column) => ({ name: column, type: "text", nullable: true })),
  };
}

const ALL = [
  stream("public.orders", ["id", "customer_email"]),
  stream("public.customers", ["id", "name"]),
  stream("audit.email"),
];

test("a search finds names first, then columns", () => {
  const found = searchStreams(ALL, "EMAIL");
  expect(found.map((row) => [row.stream.stream, row.columns])).toEqual([
    ["audit.email", []],
    ["public.orders", ["customer_email"]],
  ]);
  expect(searchStreams(ALL, " ")).toHaveLength(3);
  expect(searchStreams(ALL, "nothing")).toEqual([]);
});

test("streams stand below their namespaces, unless there is but one", () => {
  const rows = treeRows(searchStreams(ALL, ""), new Set(["public"]));
  expect(
    rows.map((row) => (row.kind === "stream" ? row.stream.stream : `${row.name} ${row.streams.length}`)),
  ).toEqual(["public 2", "audit 1", "audit.email"]);
  expect(treeRows(searchStreams([stream("a"), stream("b")], ""), new Set()).map((row) => row.kind)).toEqual([
    "stream",
    "stream",
  ]);
});

test("patterns and numbers are told", () => {
  expect(isPattern("public.dim_*")).toBe(true);
  expect(isPattern("public.orders")).toBe(false);
  expect(["int64", "uint8", "decimal(10,2)", "float64", "number"].every(isNumeric)).toBe(true);
  expect(["text", "interval", "timestamp"].some(isNumeric)).toBe(false);
});
