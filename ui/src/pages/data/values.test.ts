import { expect, test } from "vitest";
import type { Collection, CollectionColumn } from "../../api/model";
import { labelColumn, referenceLabel, rulesOf, valueOf } from "./values";

const NAME: CollectionColumn = {
  name: "name",
  type: "text",
  required: true,
  unique: true,
  one_of: [],
  max_length: 40,
};
const NOTE: CollectionColumn = { name: "note", type: "text", required: false, unique: false, one_of: [] };
const PAY: CollectionColumn = {
  name: "pay",
  type: "decimal(10,2)",
  required: false,
  unique: false,
  one_of: [],
  min: "0.00",
};
const COLLECTION: Collection = {
  name: "employee",
  path: "/v1/employee",
  connection: "hr",
  table: "employee",
  key: "id",
  key_given: true,
  soft_delete: true,
  read: "viewer",
  write: "editor",
  delete: "editor",
  columns: [NOTE, NAME, PAY],
};

test("what is typed becomes a value, and keeps every digit", () => {
  expect(valueOf("text", " ")).toEqual({ value: null });
  expect(valueOf("integer", "42")).toEqual({ value: 42 });
  expect(valueOf("bigint", "9223372036854775807")).toEqual({ value: "9223372036854775807" });
  expect(valueOf("decimal(10,2)", "0.10")).toEqual({ value: "0.10" });
  expect(valueOf("json", '{"a": [1]}')).toEqual({ value: { a: [1] } });
  for (const [type, text] of [
    ["integer", "4.5"],
    ["decimal(10,2)", "ten"],
    ["boolean", "yes"],
    ["json", "{"],
  ] as const)
    expect(valueOf(type, text)).toHaveProperty("error");
});

test("a row is known by its unique text, then by its first", () => {
  expect(labelColumn(COLLECTION)).toBe("name");
  expect(labelColumn({ ...COLLECTION, columns: [PAY, NOTE] })).toBe("note");
  expect(referenceLabel({ id: 7, name: "Ada" }, COLLECTION)).toBe("Ada");
  expect(referenceLabel(7, COLLECTION)).toBe("7");
});

test("rules are told in words", () => {
  expect(rulesOf(NAME)).toEqual(["required", "unique", "at most 40 characters"]);
  expect(rulesOf(PAY)).toEqual(["at least 0.00"]);
});
