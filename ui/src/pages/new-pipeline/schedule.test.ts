import { expect, test } from "vitest";
import { cronOf, rhythmOf, scheduleDocument, scheduleDraft, scheduleMistake, timesInWords } from "./schedule";

test("rhythms and expressions are the same thing", () => {
  for (const cron of [
    "*/15 * * * *",
    "5 * * * *",
    "30 6 * * *",
    "0 6 * * MON,WED,SUN",
    "0 0 L * *",
    "15 23 1 * *",
  ])
    expect(cronOf(rhythmOf(cron)!)).toBe(cron);
  expect(cronOf(rhythmOf("@daily")!)).toBe("0 0 * * *");
  expect(rhythmOf("30 6 * * MON-FRI")).toEqual({ every: "week", days: [1, 2, 3, 4, 5], time: "06:30" });
  expect(rhythmOf("0 6 * * 7")).toEqual({ every: "week", days: [0], time: "06:00" });
});

test("what the builder cannot say stays an expression", () => {
  for (const cron of [
    "0 6 1 * MON",
    "0 8-17 * * *",
    "*/10 * * * * *",
    "0 6 * 1 *",
    "0 6 * * FRI#2",
    "",
    "a b",
  ])
    expect(rhythmOf(cron)).toBeUndefined();
});

test("schedules go into a document and come back", () => {
  for (const value of [
    { cron: "0 6 * * *", timezone: "Europe/Madrid" },
    { cron: "@hourly", catchup: "none" },
    { every: "90s" },
    { on: { pipeline: "load", state: "failed" } },
    { on: { dataset: "warehouse.orders" } },
    { on: { file: { connection: "drop", path: "in/*.csv" } } },
    { cron: "0 6 * * *", gap: "skip" },
    [{ cron: "0 6 * * *" }, { every: "1h" }],
    { on: { file: { connection: "drop", path: "x" }, every: "5s" } },
  ])
    expect(scheduleDocument(scheduleDraft(value))).toEqual(value);
  expect(scheduleDraft("0 6 * * *")).toEqual({ kind: "cron", cron: "0 6 * * *", timezone: "UTC" });
  expect(scheduleDraft(undefined)).toEqual({ kind: "manual" });
});

test("times are told in words", () => {
  const words = (cron: string) => timesInWords({ kind: "cron", cron, timezone: "UTC" });
  expect(words("30 6 * * MON-FRI")).toBe("On working days at 06:30, UTC");
  expect(words("0 6 * * SUN,MON")).toBe("Every Monday, Sunday at 06:00, UTC");
  expect(words("0 0 L * *")).toBe("On the last day of every month at 00:00, UTC");
  expect(words("0 6 1 * MON")).toBe("0 6 1 * MON, UTC");
});

test("what a schedule lacks is told", () => {
  expect(scheduleMistake({ kind: "every", every: "soon" })).toMatch("number and a unit");
  expect(scheduleMistake({ kind: "every", every: "1h30m" })).toBeUndefined();
  expect(scheduleMistake({ kind: "dataset", dataset: "orders" })).toMatch("connection");
});
