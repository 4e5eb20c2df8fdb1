import { expect, test } from "vitest";
import { lagText } from "./lag-text";

const DAY = 86_400;

test("a stream is behind as long as its newest row was fresh when it was loaded", () => {
  expect(lagText(90, 60)).toBe("1 min 30 s");
  expect(lagText(3 * DAY, 3 * DAY - 60)).toBe("3 d");
  expect(lagText(3 * DAY, null)).toBe("3 d");
});

test("a source without new rows is not behind: the time of its last event is told", () => {
  expect(lagText(324 * DAY, 60)).toBe("last event 324 d ago");
});
