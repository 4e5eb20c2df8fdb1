import { expect, test } from "vitest";
import type { TaskRun } from "../../../api/model";
import { gridOf, secondsOf } from "./grid";

const task = (name: string): TaskRun => ({
  id: 1,
  task: name,
  state: "succeeded",
  attempt: 1,
  failed: 0,
  lost: 0,
});

test("tasks stand in the order of the newest run, those that are gone at the end", () => {
  const { names, cells } = gridOf(
    new Map([
      [1, [task("old"), task("a")]],
      [2, [task("b"), task("a")]],
    ]),
  );
  expect(names).toEqual(["b", "a", "old"]);
  expect(cells.get(1)?.has("b")).toBe(false);
});

test("a run that goes on has no duration yet", () => {
  expect(secondsOf({ started_at: "2026-01-01T00:00:00Z", ended_at: "2026-01-01T00:00:02Z" })).toBe(2);
  expect(secondsOf({ started_at: "2026-01-01T00:00:00Z", ended_at: null })).toBeNull();
});
