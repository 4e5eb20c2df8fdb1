import { expect, test } from "vitest";
import { parseSearch, stringifySearch, takes } from "./search-params";

test("parameters are texts, there and back", () => {
  expect(parseSearch("?state=failed&line=120")).toEqual({ state: "failed", line: "120" });
  expect(stringifySearch({ state: "failed", line: 120, q: "", none: undefined })).toBe(
    "?state=failed&line=120",
  );
  expect(stringifySearch({})).toBe("");
  expect(parseSearch(stringifySearch({ q: "a&b=ü /" }))).toEqual({ q: "a&b=ü /" });
});

test("a page takes only what it knows", () => {
  expect(takes("q", "state")({ q: "x", other: "y", state: 5 })).toEqual({ q: "x" });
});
