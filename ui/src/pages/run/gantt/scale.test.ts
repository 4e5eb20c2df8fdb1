import { expect, test } from "vitest";
import { barOf, spanOf, ticksOf, zoomed } from "./scale";

const T0 = Date.parse("2026-01-01T00:00:00Z");
const at = (seconds: number) => new Date(T0 + seconds * 1000).toISOString();

test("a run lasts from its first claim until its last end, or now", () => {
  const tasks = [
    { started_at: at(5), ended_at: at(10) },
    { started_at: at(2), ended_at: null },
    { started_at: null },
  ];
  expect(spanOf(tasks, at(0), T0 + 20_000)).toEqual({ from: T0 + 2_000, to: T0 + 20_000 });
  expect(spanOf([], at(0), T0)).toEqual({ from: T0, to: T0 + 1_000 });
});

test("bars are cut where the span ends", () => {
  const span = { from: T0, to: T0 + 10_000 };
  expect(barOf({ started_at: at(5), ended_at: at(20) }, span, T0)).toEqual({ left: 0.5, width: 0.5 });
  expect(barOf({ started_at: at(11), ended_at: at(20) }, span, T0)).toBeNull();
  expect(barOf({ started_at: null, ended_at: null }, span, T0)).toBeNull();
  expect(barOf({ started_at: at(2), ended_at: null }, span, T0 + 4_000)).toEqual({ left: 0.2, width: 0.2 });
});

test("the axis has round distances from the start", () => {
  const ticks = ticksOf({ from: T0, to: T0 + 73_000 }, T0);
  expect(ticks.map((tick) => tick.at)).toEqual([0, 15_000, 30_000, 45_000, 60_000]);
  expect(ticksOf({ from: T0 + 100_000, to: T0 + 110_000 }, T0).map((tick) => tick.at)[0]).toBe(100_000);
});

test("zooming stays within the whole", () => {
  const whole = { from: T0, to: T0 + 10_000 };
  expect(zoomed(whole, whole, 0.5)).toEqual({ from: T0 + 2_500, to: T0 + 7_500 });
  expect(zoomed({ from: T0, to: T0 + 4_000 }, whole, 2)).toEqual({ from: T0, to: T0 + 6_000 });
});
