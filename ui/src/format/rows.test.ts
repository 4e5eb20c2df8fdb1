import { expect, test } from "vitest";
import { hasSameRows, isRow, merged } from "./rows";

test("a reference that was expanded stays so while it is the same", () => {
  const before = { id: 1, name: "Ada", department: { id: 7, name: "Legal" } };
  expect(merged(before, { id: 1, name: "Bea", department: 7 })).toEqual({ ...before, name: "Bea" });
  expect(merged(before, { id: 1, name: "Ada", department: 8 })).toEqual({ ...before, department: 8 });
  expect(merged(before, { id: 1, name: "Ada", department: null })).toEqual({ ...before, department: null });
});

test("lists have the same rows if these stand in the same places", () => {
  const rows = [{ id: 1, name: "a" }, { id: 2 }];
  expect(hasSameRows(rows, [{ id: 1, name: "b" }, { id: 2 }], "id")).toBe(true);
  expect(hasSameRows(rows, [{ id: 2 }, { id: 1 }], "id")).toBe(false);
  expect(hasSameRows(rows, [{ id: 1 }], "id")).toBe(false);
});

test("a list is no row", () => {
  expect([isRow({}), isRow([]), isRow(null), isRow("x")]).toEqual([true, false, false, false]);
});
