import { expect, test } from "vitest";
import { isOver, look } from "./status";

test("what needs attention comes first", () => {
  const states = ["succeeded", "queued", "failed", "running"];
  expect(states.sort((a, b) => look(a).order - look(b).order)).toEqual([
    "failed",
    "running",
    "queued",
    "succeeded",
  ]);
});

test("states that are not known are shown as they are named", () => {
  expect(look("in_progress").word).toBe("In progress");
  expect(isOver("in_progress")).toBe(false);
  expect(isOver("skipped")).toBe(true);
});
