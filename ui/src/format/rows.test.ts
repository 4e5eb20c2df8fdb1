import { expect, test } from "vitest";
import { isRow, merged } from "./rows";

test("a reference that was expanded stays so while it is the same", () => {
  const before = { id: 1, name: "Ada", department: { id: 7, name: "Legal" } };
  expect(merged(before, { id: 1, name: "Bea", department: 7 })).toEqual({ ...before, name: "Bea" });
  expect(merged(before, { id: 1, name: "Ada", department: 8 })).toEqual({ ...before, department: 8 });
  expect(merged(before, { id: 1, name: "Ada", department: null })).toEqual({ ...before, department: null });
});

test("a list is no row", () => {
  expect([isRow({}), isRow([]), isRow(null), isRow("x")]).toEqual([true, false, false, false]);
});
