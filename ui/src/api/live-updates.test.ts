import { expect, test, vi } from "vitest";
import type { LiveEvent } from "./live";
import type { Run } from "./model";

vi.mock("./live", () => ({ live: {} }));
const { withEvent } = await import("./live-updates");

const run: Run = {
  id: 7,
  pipeline: "shop",
  version: 1,
  cause: "manual",
  params: {},
  state: "running",
  admitted: true,
  created_at: "2026-01-01T00:00:00Z",
  started_at: "2026-01-01T00:00:01Z",
};
const ended: Extract<LiveEvent, { kind: "run" }> = {
  kind: "run",
  id: 99,
  run: 7,
  pipeline: "shop",
  event: { id: 99, at: "2026-01-01T00:00:09Z", event: "ended", state: "succeeded", attempt: 0 },
};

test("an event changes its run in place", () => {
  const page = withEvent({ items: [{ ...run, id: 8 }, run] }, ended);
  expect(page.items.map((one) => [one.id, one.state, one.ended_at])).toEqual([
    [8, "running", undefined],
    [7, "succeeded", "2026-01-01T00:00:09Z"],
  ]);
});

test("a page without the run stays the same object", () => {
  const page = { items: [{ ...run, id: 8 }] };
  expect(withEvent(page, ended)).toBe(page);
});
