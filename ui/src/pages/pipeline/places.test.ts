import { expect, test } from "vitest";
import { outlineOf } from "../../format/pipeline-outline";
import { mistakesByTask, placed } from "./places";

test("places are lines and columns of the text", () => {
  const mistakes = [
    {
      kind: "config",
      message: "there is no connection `x`.",
      place: ["pipelines/shop.yaml:3:25"],
      advice: "Add it.",
    },
    {
      kind: "config",
      message: "it has no value",
      place: ["pipelines/shop.yaml", "connection `db`"],
      advice: "",
    },
  ];
  expect(placed(mistakes)).toEqual([
    { line: 3, column: 25, message: "there is no connection `x`.", advice: "Add it." },
    { line: 1, column: 1, message: "connection `db`: it has no value", advice: "" },
  ]);
});

test("a mistake is of the task in whose lines it is", () => {
  const { tasks } = outlineOf(
    "version: 1\ntasks:\n  a:\n    http: { url: x }\n  b:\n    after: [z]\n    notify: ops\n",
  );
  const mistakes = [
    { line: 6, column: 13, message: "no task z", advice: "" },
    { line: 1, column: 1, message: "top", advice: "" },
  ];
  expect([...mistakesByTask(mistakes, tasks)]).toEqual([["b", "no task z"]]);
});
