import { expect, test } from "vitest";
import type { Param } from "../../format/pipeline-outline";
import { paramMistakes, paramValues } from "./check-params";

const PARAMS: Param[] = [
  { name: "orders", type: "int", default: 300, description: null },
  { name: "day", type: "date", default: null, description: null },
  { name: "full", type: "bool", default: null, description: null },
];

test("a parameter without a default needs a value", () => {
  expect(paramMistakes(PARAMS, {})).toEqual({ day: "It has no default: give a value." });
  expect(paramMistakes(PARAMS, { day: "2026-01-01", orders: "1.5" })).toEqual({
    orders: "Give a whole number.",
  });
});

test("a flag that nobody touched is off", () => {
  expect(paramValues(PARAMS, { day: "2026-01-01" })).toEqual({ day: "2026-01-01", full: "false" });
});
