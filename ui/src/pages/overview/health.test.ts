import { expect, test } from "vitest";
import type { Failure, Overview } from "../../api/model";
import { healthOf } from "./health";

const CALM: Overview = {
  at: "2026-01-01T00:00:00Z",
  pipelines: { total: 3, paused: 0 },
  runs: { running: 0, queued: 0, succeeded: 9, failed: 0, cancelled: 0 },
  running: [],
  failures: [],
  upcoming: [],
  hours: [],
  datasets: [],
  capacity: { workers: 1, slots: 4, held: 0 },
};
const failure: Failure = { run: 1, pipeline: "orders", ended_at: "2026-01-01T00:00:00Z", recovered: false };

test("what is broken is told first", () => {
  expect(healthOf({ ...CALM, failures: [failure, { ...failure, run: 2 }] })).toEqual({
    state: "failed",
    text: "orders needs attention",
  });
  expect(healthOf({ ...CALM, failures: [failure, { ...failure, pipeline: "hr" }] }).text).toBe(
    "2 pipelines need attention",
  );
});

test("what has recovered needs no attention", () => {
  expect(healthOf({ ...CALM, failures: [{ ...failure, recovered: true }] }).state).toBe("succeeded");
});

test("runs that nobody can execute are a failure", () => {
  const stuck = { ...CALM, runs: { ...CALM.runs, queued: 2 }, capacity: { workers: 0, slots: 0, held: 0 } };
  expect(healthOf(stuck)).toEqual({ state: "failed", text: "2 runs wait, and no worker is signed on" });
});

test("work and rest are told apart", () => {
  expect(healthOf({ ...CALM, runs: { ...CALM.runs, running: 2 } }).text).toBe("All is well, 2 runs at work");
  expect(healthOf({ ...CALM, pipelines: { total: 3, paused: 3 } }).state).toBe("paused");
  expect(healthOf(CALM).text).toBe("All is well");
});
