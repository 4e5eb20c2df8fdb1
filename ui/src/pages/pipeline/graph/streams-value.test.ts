import { expect, test } from "vitest";
import { freeName } from "./new-task";
import { streamEntries, streamsValue } from "./streams-value";

test("a list of streams stays a list until one has options", () => {
  const entries = streamEntries(["a", "b"]);
  expect(streamsValue(entries, ["a", "b"])).toEqual(["a", "b"]);
  expect(
    streamsValue(
      [
        { name: "a", options: { write: "append" } },
        { name: "b", options: {} },
      ],
      ["a", "b"],
    ),
  ).toEqual({
    a: { write: "append" },
    b: {},
  });
  expect(streamsValue(streamEntries({ a: null }), { a: null })).toEqual({ a: {} });
});

test("a new task has a name of its own", () => {
  expect(freeName("http", ["http", "http_2"])).toBe("http_3");
  expect(freeName("sync", [])).toBe("load");
});
