import { expect, test } from "vitest";
import type { Failure } from "../../api/model";
import { groupFailures } from "./failure-groups";

const failure = (run: number, more: Partial<Failure> = {}): Failure => ({
  run,
  pipeline: "orders",
  task: "load",
  error: "no route to host",
  ended_at: "2026-01-01T00:00:00Z",
  recovered: false,
  ...more,
});

test("the same failure again is told once, with its newest run", () => {
  const groups = groupFailures([failure(9), failure(8), failure(7, { error: "disk full" })]);
  expect(groups.map((group) => [group.newest.run, group.times])).toEqual([
    [9, 2],
    [7, 1],
  ]);
});

test("what has not recovered comes first", () => {
  const groups = groupFailures([failure(9, { pipeline: "hr", recovered: true }), failure(8)]);
  expect(groups.map((group) => group.newest.pipeline)).toEqual(["orders", "hr"]);
});
