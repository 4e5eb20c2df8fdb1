import { expect, test } from "vitest";
import { connectProblem, edgesOf, waitsFor, type GraphTask } from "./model";

function task(name: string, after: string[] = [], hook: string | null = null): GraphTask {
  return { name, after, hook, kind: "command", summary: "", when: null, hasItems: false };
}

const TASKS = [
  task("a"),
  task("b", ["a"]),
  task("c", ["b"]),
  task("d"),
  task("on_failure", [], "on_failure"),
];

test("what is done after all tasks hangs on the last of them", () => {
  expect(edgesOf(TASKS)).toEqual([
    { from: "a", to: "b", isImplied: false },
    { from: "b", to: "c", isImplied: false },
    { from: "c", to: "on_failure", isImplied: true },
    { from: "d", to: "on_failure", isImplied: true },
  ]);
});

test("a task waits for those before those before it", () => {
  expect(waitsFor(TASKS, "c", "a")).toBe(true);
  expect(waitsFor(TASKS, "a", "c")).toBe(false);
});

test("what cannot be connected says why", () => {
  expect(connectProblem(TASKS, "c", "a")).toContain("for ever");
  expect(connectProblem(TASKS, "a", "b")).toContain("already");
  expect(connectProblem(TASKS, "a", "a")).toContain("itself");
  expect(connectProblem(TASKS, "on_failure", "a")).toContain("after all tasks");
  expect(connectProblem(TASKS, "a", "d")).toBeUndefined();
  expect(connectProblem(TASKS, "a", "c")).toBeUndefined();
});
