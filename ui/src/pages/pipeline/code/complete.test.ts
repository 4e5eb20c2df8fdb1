import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { JsonSchema } from "../../../components/schema-form/shape";
import { optionsAt } from "./complete";
import { diagnosticsOf } from "./diagnostics";
import { placeAt } from "./yaml-place";

const SCHEMA = JSON.parse(readFileSync("../api/pipeline.schema.json", "utf8")) as JsonSchema;

/** The place of `|` in a text. */
function at(text: string) {
  const offset = text.indexOf("|");
  return placeAt(text.replace("|", ""), offset);
}

test("a place is told by indentation", () => {
  expect(at("version: 1\nta|")).toEqual({ path: [], isKey: true, word: "ta" });
  expect(at("tasks:\n  load:\n    sy|")).toEqual({ path: ["tasks", "load"], isKey: true, word: "sy" });
  expect(at("tasks:\n  load:\n    # of all\n    when: all_|")).toEqual({
    path: ["tasks", "load", "when"],
    isKey: false,
    word: "all_",
  });
  expect(at("tasks:\n  a:\n    http:\n      url: x\n  b:\n    |")).toEqual({
    path: ["tasks", "b"],
    isKey: true,
    word: "",
  });
  expect(at("tasks: # |")).toBeNull();
});

test("a place within braces is told by them", () => {
  expect(at("tasks:\n  load:\n    sync: { from: sh|")).toEqual({
    path: ["tasks", "load", "sync", "from"],
    isKey: false,
    word: "sh",
  });
  expect(at("tasks:\n  load:\n    sync: { from: shop, t|")).toEqual({
    path: ["tasks", "load", "sync"],
    isKey: true,
    word: "t",
  });
  expect(at("tasks:\n  load:\n    after: [a, b|")).toEqual({
    path: ["tasks", "load", "after"],
    isKey: false,
    word: "b",
  });
});

test("items of a list belong to its key", () => {
  expect(at("on_failure:\n- no|")).toEqual({ path: ["on_failure"], isKey: true, word: "no" });
  expect(at("on_failure:\n  - notify: o|")).toEqual({
    path: ["on_failure", "notify"],
    isKey: false,
    word: "o",
  });
});

function labels(text: string, names = {}): string[] {
  const place = at(text);
  return place ? optionsAt(SCHEMA, place, names).map((option) => option.label) : [];
}

test("keys and values of the schema are offered where they can stand", () => {
  expect(labels("|")).toEqual(expect.arrayContaining(["tasks", "schedule", "on_failure"]));
  expect(labels("tasks:\n  load:\n    |")).toEqual(
    expect.arrayContaining(["sync", "command", "after", "for_each"]),
  );
  expect(labels("tasks:\n  load:\n    when: |")).toEqual(["all_succeeded", "all_done", "any_failed"]);
  expect(labels("tasks:\n  load:\n    sync:\n      streams:\n        orders:\n          write: |")).toEqual([
    "replace",
    "append",
    "merge",
  ]);
  expect(labels("on_failure:\n  - |")).toContain("notify");
});

test("names that there are come first", () => {
  expect(labels("tasks:\n  load:\n    sync:\n      from: |", { from: ["shop"] })).toEqual(["shop"]);
  expect(labels("tasks:\n  load:\n    after: [|", { after: ["a", "b"] })).toEqual(["a", "b"]);
});

test("a mistake stands at its word", () => {
  const [first] = diagnosticsOf("a: 1\nbc: xyz, d\n", [{ line: 2, column: 5, message: "no", advice: "yes" }]);
  expect(first).toMatchObject({ from: 9, to: 12, message: "no\nyes" });
  expect(diagnosticsOf("a", [{ line: 9, column: 9, message: "no", advice: "" }])[0]).toMatchObject({
    from: 1,
    to: 1,
  });
});
