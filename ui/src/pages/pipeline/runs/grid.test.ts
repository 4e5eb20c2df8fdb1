import { expect, test } from "vitest";
import type { Run, TaskState } from "../../../api/model";
import { cellState, gridOf, secondsOf } from "./grid";

const task = (name: string, more: Partial<TaskState> = {}): TaskState => ({
  id: 1,
  task: name,
  state: "succeeded",
  failed: 0,
  ...more,
});
const run = (id: number, tasks: TaskState[]): Run => ({
  id,
  pipeline: "shop",
  version: 1,
  cause: "manual",
  params: {},
  state: "succeeded",
  admitted: true,
  created_at: "2026-01-01T00:00:00Z",
  tasks,
});

test("tasks stand in the order of the newest run, those that are gone at the end", () => {
  const { names, cells } = gridOf([run(2, [task("b"), task("a")]), run(1, [task("old"), task("a")])]);
  expect(names).toEqual(["b", "a", "old"]);
  expect(cells.get(1)?.has("b")).toBe(false);
});

test("a task that waits for its items is at work, one that waits for its next try is not", () => {
  expect(cellState(task("a", { state: "waiting" }))).toBe("running");
  expect(cellState(task("a", { state: "waiting", until: "2026-01-01T00:00:00Z" }))).toBe("waiting");
  expect(cellState(task("a", { state: "waiting", until: "2026-01-01T00:00:00Z", failed: 1 }))).toBe(
    "retrying",
  );
});

test("a run that goes on has no duration yet", () => {
  expect(secondsOf({ started_at: "2026-01-01T00:00:00Z", ended_at: "2026-01-01T00:00:02Z" })).toBe(2);
  expect(secondsOf({ started_at: "2026-01-01T00:00:00Z", ended_at: null })).toBeNull();
});
