import { expect, test } from "vitest";
import type { RecentLine } from "../../api/model-logs";
import { placeOf } from "./place-of";

const LINE: RecentLine = {
  pipeline: "nightly",
  run: 17,
  task: "load",
  item: null,
  attempt: 2,
  number: 41,
  at: "2026-01-01T00:00:00Z",
  stream: "err",
  level: "error",
  text: "ERROR no place",
};

test("a line leads to itself, in the log of its task or item and of its attempt", () => {
  const search = { task: "load", attempt: "2", part: "log", line: "42" };
  expect(placeOf(LINE)).toEqual({ to: "/runs/$id", params: { id: "17" }, search });
  expect(placeOf({ ...LINE, item: 0 }).search).toEqual({ ...search, item: "0" });
});
