import { expect, test } from "vitest";
import type { Run, TaskRun } from "../../api/model";
import { paramFacts, taskPairs } from "./comparison";

const task = (name: string, seconds: number | null, more: Partial<TaskRun> = {}): TaskRun => ({
  id: 1,
  task: name,
  state: "succeeded",
  attempt: 1,
  failed: 0,
  lost: 0,
  started_at: "2026-01-01T00:00:00Z",
  ended_at:
    seconds === null ? null : new Date(Date.parse("2026-01-01T00:00:00Z") + seconds * 1000).toISOString(),
  ...more,
});
const run = (params: Record<string, unknown>) => ({ params }) as Run;

test("parameters differ by their values, not by being numbers or texts", () => {
  expect(paramFacts(run({ day: "1", only: true }), run({ day: 1, more: "x" }))).toEqual([
    { name: "day", a: "1", b: "1", differs: false },
    { name: "more", a: "", b: "x", differs: true },
    { name: "only", a: "true", b: "", differs: true },
  ]);
});

test("tasks stand side by side, also those that only one run has", () => {
  const pairs = taskPairs([task("load", 10), task("old", 1)], [task("load", 12.5), task("new", null)]);
  expect(pairs.map((pair) => [pair.task, pair.longerMs])).toEqual([
    ["load", 2500],
    ["new", undefined],
    ["old", undefined],
  ]);
});

test("items do not stand in for their task", () => {
  const pairs = taskPairs([task("each", 5), task("each", 1, { item: "a" })], []);
  expect(pairs).toHaveLength(1);
  expect(pairs[0]?.a?.item).toBeUndefined();
});
