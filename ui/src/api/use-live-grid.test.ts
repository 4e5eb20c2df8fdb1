import { expect, test, vi } from "vitest";
import type { Run } from "./model";

vi.mock("./live", () => ({ live: {} }));
const { withTaskState } = await import("./use-live-grid");

const run: Run = {
  id: 7,
  pipeline: "shop",
  version: 1,
  cause: "manual",
  params: {},
  state: "running",
  admitted: true,
  created_at: "2026-01-01T00:00:00Z",
  tasks: [
    { id: 70, task: "load", state: "running", failed: 0, started_at: "2026-01-01T00:00:01Z" },
    { id: 71, task: "tell", state: "queued", failed: 0 },
  ],
};
const told = (taskRun: number, event: string, state: string) => ({
  run: 7,
  event: { id: 9, task_run: taskRun, at: "2026-01-01T00:00:09Z", event, state, attempt: 1 },
});

test("a task that ends changes in its place, the others stay the same objects", () => {
  const other = { ...run, id: 8, tasks: [{ id: 80, task: "load", state: "queued", failed: 0 }] };
  const page = withTaskState({ items: [other, run] }, told(70, "finished", "succeeded"));
  expect(page.items[0]).toBe(other);
  expect(page.items[1]?.tasks?.[0]).toMatchObject({ state: "succeeded", ended_at: "2026-01-01T00:00:09Z" });
  expect(page.items[1]?.tasks?.[1]).toBe(run.tasks?.[1]);
});

test("a task begins when it is claimed, and items are none of it", () => {
  const page = withTaskState({ items: [run] }, told(71, "claimed", "starting"));
  expect(page.items[0]?.tasks?.[1]).toMatchObject({ state: "starting", started_at: "2026-01-01T00:00:09Z" });
  const same = { items: [run] };
  expect(withTaskState(same, told(99, "claimed", "starting"))).toBe(same);
});
