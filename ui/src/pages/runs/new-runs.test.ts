import { expect, test } from "vitest";
import { isOfList, isToldByEvents } from "./new-runs";

const NOW = Date.parse("2026-03-01T12:00:00Z");

test("what an event does not tell of a run has to be asked", () => {
  expect(isToldByEvents({ pipeline: "orders", search: "ord", since: "2026-03-01T11:00:00Z" }, NOW)).toBe(
    true,
  );
  expect(isToldByEvents({ cause: "manual" }, NOW)).toBe(false);
  expect(isToldByEvents({ backfill: 3 }, NOW)).toBe(false);
  expect(isToldByEvents({ state: "failed" }, NOW)).toBe(false);
  expect(isToldByEvents({ since: "2026-03-01T13:00:00Z" }, NOW)).toBe(false);
});

test("runs of other pipelines are no news", () => {
  expect(isOfList("orders", {})).toBe(true);
  expect(isOfList("orders", { pipeline: "order" })).toBe(false);
  expect(isOfList("orders", { search: "ORD" })).toBe(true);
  expect(isOfList("orders", { search: "hr" })).toBe(false);
});
