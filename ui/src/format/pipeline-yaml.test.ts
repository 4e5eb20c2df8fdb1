import { expect, test } from "vitest";
import { outlineOf } from "./pipeline-outline";
import {
  nameProblem,
  withEdge,
  withNewTask,
  withoutEdge,
  withoutTask,
  withRenamedTask,
  withTask,
  withTop,
} from "./pipeline-yaml";

const SHOP = `# every night
version: 1
name: shop
tags: [shop, daily]
params:
  day: { type: date, description: Which day }

tasks:
  # the tables first
  load:
    sync: { from: shop, to: warehouse, streams: [orders] }  # all of them
    retry: { attempts: 2 }

  report:
    after: [load]
    command:
      argv: [report, "\${tasks.load.outputs.written}"]
on_failure:
- notify: ops
`;

test("a document is told in short", () => {
  const outline = outlineOf(SHOP);
  expect(outline.problem).toBeNull();
  expect(outline.tags).toEqual(["shop", "daily"]);
  expect(outline.params).toEqual([{ name: "day", type: "date", default: null, description: "Which day" }]);
  expect(outline.tasks.map(({ name, kind, after, summary }) => [name, kind, after, summary])).toEqual([
    ["load", "sync", [], "shop → warehouse"],
    ["report", "command", ["load"], "report ${tasks.load.outputs.written}"],
    ["on_failure", "notify", [], "ops"],
  ]);
  expect(outline.tasks.map((task) => task.line)).toEqual([10, 14, 19]);
});

test("an edit changes its own line and no other", () => {
  const text = withTask(SHOP, "load", {
    sync: { from: "shop", to: "lake", streams: ["orders"] },
    retry: { attempts: 2 },
  });
  expect(text).toBe(SHOP.replace("to: warehouse", "to: lake").replace("}  # all", "} # all"));
});

test("a new task stands last, and the rest stays as it was typed", () => {
  const text = withNewTask(SHOP, "tell", { notify: "ops", after: ["report"] });
  expect(text).toContain("  tell:\n    notify: ops\n    after: [report]\n");
  expect(text.replace("  tell:\n    notify: ops\n    after: [report]\n", "")).toBe(SHOP);
});

test("edges are words in after", () => {
  const linked = withEdge(withNewTask(SHOP, "tell", { notify: "ops" }), "load", "tell");
  expect(linked).toContain("after: [load]\n");
  expect(withEdge(SHOP, "load", "report")).toBe(SHOP);
  expect(withoutEdge(SHOP, "load", "report")).toBe(SHOP.replace("    after: [load]\n", ""));
});

test("a task that goes takes the edges to it along", () => {
  const text = withoutTask(SHOP, "load");
  expect(outlineOf(text).tasks.map((task) => [task.name, task.after])).toEqual([
    ["report", []],
    ["on_failure", []],
  ]);
});

test("those that wait for a task and use its outputs follow its new name", () => {
  const text = withRenamedTask(SHOP, "load", "tables");
  expect(text).toContain("  tables:\n    sync: { from: shop");
  expect(text).toContain("after: [tables]");
  expect(text).toContain("${tasks.tables.outputs.written}");
  expect(text).toContain("# the tables first");
});

test("one sync alone becomes the task of the same name when another comes", () => {
  const text = withNewTask("version: 1\nsync:\n  from: a # here\n  to: b\n  streams: [x]\n", "tell", {
    notify: "ops",
  });
  expect(outlineOf(text).tasks.map((task) => task.name)).toEqual(["sync", "tell"]);
  expect(text).toContain("# here");
});

test("what is said about the pipeline stands at the top", () => {
  expect(withTop(SHOP, "owner", "anna")).toContain("tags: [shop, daily]\nowner: anna\nparams:");
  expect(withTop(SHOP, "tags", ["x"])).toContain("tags: [x]\n");
  expect(withTop(SHOP, "tags", undefined)).not.toContain("tags:");
});

test("a document that is not YAML is not touched", () => {
  expect(withTop("tasks: [", "owner", "anna")).toBe("tasks: [");
  expect(outlineOf("tasks: [").problem).not.toBeNull();
});

test("names are plain and their own", () => {
  expect(nameProblem("load", ["load"])).toBe("There is a task load already.");
  expect(nameProblem("a/b", [])).toContain("no /");
  expect(nameProblem("load-2", ["load"])).toBeUndefined();
});
