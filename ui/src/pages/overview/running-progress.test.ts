import { expect, test } from "vitest";
import type { RunningRun, Sums } from "../../api/model";
import { ofRunning, progressOf, withProgress, type ToldProgress } from "./running-progress";

const sums: Sums = {
  rows_read: 10,
  bytes_read: 100,
  bytes_held: 20,
  rows_written: 8,
  rows_rejected: 1,
  rows_per_second: 5,
  bytes_per_second: 50,
  bound: "read",
};
const run: RunningRun = {
  run: 7,
  pipeline: "a",
  cause: "manual",
  created_at: "",
  tasks: 2,
  ended: 0,
  progress: sums,
};

test("what was read counts until an event tells more", () => {
  const none: ToldProgress = new Map();
  expect(progressOf(run, none)).toEqual(sums);
  expect(progressOf(run, withProgress(none, 7, 1, { ...sums, rows_read: 20 }))?.rows_read).toBe(20);
  expect(progressOf(run, withProgress(none, 8, 1, { ...sums, rows_read: 20 }))?.rows_read).toBe(10);
});

test("what ended is forgotten", () => {
  const told = withProgress(withProgress(new Map(), 7, 1, sums), 8, 2, sums);
  expect([...ofRunning(told, [{ run: 8 }]).keys()]).toEqual([8]);
});

test("tasks add up, and the busiest one says what holds the run up", () => {
  const first = withProgress(new Map(), 7, 1, sums);
  const both = withProgress(first, 7, 2, { ...sums, bytes_per_second: 900, bound: "write" });
  expect(progressOf(run, both)).toMatchObject({ rows_read: 20, bytes_per_second: 950, bound: "write" });
  expect(progressOf(run, withProgress(both, 7, 2, sums))).toMatchObject({
    rows_read: 20,
    bytes_per_second: 100,
  });
});
