import { expect, test, vi } from "vitest";
import type { TaskRun } from "./model";

vi.mock("./live", () => ({ live: {} }));
const { withTaskEvents } = await import("./live-run");

const TASK: TaskRun = { id: 7, task: "load", state: "queued", attempt: 0, failed: 0, lost: 0 };

function event(name: string, state: string, at: string, taskRun = 7) {
  return { event: { id: 1, task_run: taskRun, at, event: name, state, attempt: 1 } };
}

test("a task changes in place, by its events in their order", () => {
  const page = { items: [TASK, { ...TASK, id: 8 }], next: null };
  const after = withTaskEvents(page, [
    event("claimed", "starting", "2026-01-01T00:00:01Z"),
    event("started", "running", "2026-01-01T00:00:02Z"),
    event("finished", "succeeded", "2026-01-01T00:00:05Z"),
  ]);
  expect(after.items[0]).toMatchObject({
    state: "succeeded",
    attempt: 1,
    started_at: "2026-01-01T00:00:01Z",
    ended_at: "2026-01-01T00:00:05Z",
  });
  expect(after.items[1]).toBe(page.items[1]);
});

test("items of a task are none of the list's business", () => {
  const page = { items: [TASK], next: null };
  expect(withTaskEvents(page, [event("started", "running", "2026-01-01T00:00:01Z", 99)]).items).toEqual([
    TASK,
  ]);
});
