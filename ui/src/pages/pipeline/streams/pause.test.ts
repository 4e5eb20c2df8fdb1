import { expect, test } from "vitest";
import { canPause, withPaused } from "./pause";

const DOCUMENT = `version: 1
name: shop
sync:
  from: shop
  to: warehouse
  streams:
    public.dim_*: { write: merge, key: [id] } # all dimensions
    public.orders: { read: incremental, cursor: at }
`;

test("a stream that is named gets a word, and loses it again", () => {
  const paused = withPaused(DOCUMENT, "sync", "public.orders", true);
  expect(paused).toContain("public.orders: { read: incremental, cursor: at, paused: true }");
  expect(withPaused(paused, "sync", "public.orders", false)).toBe(DOCUMENT);
});

test("one that a wildcard names goes on as the wildcard says", () => {
  const paused = withPaused(DOCUMENT, "sync", "public.dim_day", true);
  expect(paused).toContain("# all dimensions");
  expect(paused).toMatch(/public\.dim_day:\s*\{? ?\n? *write: merge/);
  expect(paused).toContain("paused: true");
  const again = withPaused(paused, "sync", "public.dim_day", false);
  expect(again).toMatch(/public\.dim_day:\s*\{? ?\n? *write: merge/);
  expect(again).not.toContain("paused");
});

test("a list stays one when nothing is paused any more", () => {
  const list = "version: 1\nname: a\nsync: { from: a, to: b, streams: [x, y] }\n";
  expect(withPaused(list, "sync", "x", true)).toContain("paused: true");
  expect(withPaused(list, "sync", "x", false)).toBe(list);
});

test("only streams of a sync can be paused", () => {
  const text = `version: 1
tasks:
  load: { sync: { from: a, to: b, streams: [x] } }
  sums: { sql: { query: SELECT 1 AS n, to: { connection: b, stream: sums } } }
`;
  expect(["load", "sums", "gone"].map((task) => canPause(text, task))).toEqual([true, false, false]);
  expect(canPause(DOCUMENT, "sync")).toBe(true);
});
