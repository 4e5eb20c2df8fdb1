import { expect, test } from "vitest";
import { parse } from "yaml";
import { namesIn, outlineOf } from "./pipeline-outline";

test("values are read as those who edit them read them", () => {
  const text = `tasks:
  odd:
    command: { argv: [yes, no, ~, 007, 0o7, 0x1f, 1e3, .5, +1, 2026-01-01, "1", '', 1_000, 12:30, true] }
    multi: |
      one # no comment
        two
    folded: >-
      a
      b
    anchor: &a { x: 1 }
    again: *a
    "quoted: key": a:b
`;
  const value = (parse(text) as { tasks: { odd: unknown } }).tasks.odd;
  expect(outlineOf(text).tasks[0]?.value).toEqual(value);
});

test("each task begins where its name stands", () => {
  const text = `sync: { from: a, to: b }
tasks:
  # a comment
  "first one": { notify: x }
  ? second
  : notify: y

  third:

    notify: |
      tasks:
        none: here
on_failure: { notify: ops }
on_success:
  - notify: ops
  -
    notify: others
`;
  expect(outlineOf(text).tasks.map(({ name, line }) => [name, line])).toEqual([
    ["sync", 1],
    ["first one", 4],
    ["second", 5],
    ["third", 8],
    ["on_failure", 13],
    ["on_success", 15],
    ["on_success_2", 17],
  ]);
});

test("a query is told by where its result goes", () => {
  const text = `tasks:
  sums:
    sql: { query: SELECT 1 AS n, to: { connection: dw, stream: marts.sums } }
  half: { sql: {} }
`;
  expect(outlineOf(text).tasks.map(({ kind, summary }) => [kind, summary])).toEqual([
    ["sql", "query → dw.marts.sums"],
    ["sql", "query → ?.?"],
  ]);
});

test("a backup and a restore are told by where they lead", () => {
  const text = `tasks:
  keep: { backup: { from: shop, to: place } }
  back: { restore: { from: place } }
`;
  expect(outlineOf(text).tasks.map(({ kind, summary }) => [kind, summary])).toEqual([
    ["backup", "shop → place"],
    ["restore", "place → ?"],
  ]);
});

test("a name that is there twice is no mistake of the form", () => {
  const { tasks, problem } = outlineOf("tasks:\n  a: { notify: x }\n  a: { notify: y }\n");
  expect(problem).toBeNull();
  expect(tasks.map(({ name, summary, line }) => [name, summary, line])).toEqual([["a", "y", 3]]);
});

test("what is no document says why, and where", () => {
  expect(outlineOf("tasks:\n  a: [1,\n").problem).toMatch(/\(3:1\)|\(2:/);
  expect(outlineOf("").tasks).toEqual([]);
  expect(outlineOf("just words").problem).toBeNull();
  expect(namesIn("channels:\n  ops: {}\n  dev:\n", "channels")).toEqual(["ops", "dev"]);
});

test("thousands of tasks are read in one pass", () => {
  const tasks = Array.from({ length: 5_000 }, (_, place) => `  t${place}: { notify: x }\n`).join("");
  const outline = outlineOf(`tasks:\n${tasks}`);
  expect(outline.tasks).toHaveLength(5_000);
  expect(outline.tasks.at(-1)?.line).toBe(5_001);
});
