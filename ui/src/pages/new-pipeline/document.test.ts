import { expect, test } from "vitest";
import { documentText, draftOfText } from "./document";
import { changed, emptyDraft, missing, newStream, reachable, suggestedName, withStream } from "./draft";

const FULL = `version: 1
name: orders
description: Orders, every morning
tags: [sales, daily]
schedule:
  cron: 0 6 * * *
  timezone: Europe/Lisbon
sync:
  from: shop
  to: warehouse
  defaults:
    rename: raw.{table}
  streams:
    public.orders:
      read: incremental
      cursor: updated_at
      write: merge
      columns:
        exclude: [note]
        rename:
          ts: created_at
        cast:
          amount: decimal(12,2)
        hash: [email]
      on_bad_row: quarantine
    public.dim_*: {}
    log:
      read: incremental
      cursor: id
      verify: checksum
  memory: 128MB
`;

test("a document goes through the guide and comes back as it was", () => {
  const draft = draftOfText(FULL);
  expect(draft.foreign).toBeNull();
  expect(draft.streams.map((stream) => stream.mode)).toEqual(["changes", "replace", "new"]);
  expect(documentText({ ...draft, text: null })).toBe(FULL);
});

test("streams without options are a list", () => {
  const draft = { ...emptyDraft(), source: "a", destination: "b", streams: [newStream("x"), newStream("y")] };
  expect(documentText(draft)).toBe("version: 1\nsync:\n  from: a\n  to: b\n  streams: [x, y]\n");
});

test("what the guide does not know is left as it is written", () => {
  const text = "version: 1\ntasks:\n  wait: { wait: { for: 1s } }\n";
  const draft = draftOfText(text);
  expect(draft.foreign).toMatch("several tasks");
  expect(documentText(draft)).toBe(text);
  expect(reachable(draft, "streams")).toBe("review");
  expect(draftOfText("a: [").foreign).toMatch("not YAML");
  expect(draftOfText("").foreign).toMatch("nothing yet");
});

test("a mode says its words only where they are not the usual ones", () => {
  const options = (mode: "append" | "merge" | "new" | "changes", key?: string[]) => {
    const stream = { ...newStream("t", mode), cursor: "id", ...(key && { key }) };
    return documentText({ ...emptyDraft(), source: "a", destination: "b", streams: [stream] }).split(
      "streams:\n    t:\n",
    )[1];
  };
  expect(options("append")).toBe("      write: append\n");
  expect(options("merge")).toBe("      write: merge\n");
  expect(options("new")).toBe("      read: incremental\n      cursor: id\n");
  expect(options("new", ["id"])).toBe(
    "      read: incremental\n      cursor: id\n      key: [id]\n      write: append\n",
  );
  expect(options("changes", ["id"])).toBe("      read: incremental\n      cursor: id\n      key: [id]\n");
});

test("the guide leads to the first step that lacks something", () => {
  const draft = emptyDraft();
  expect(reachable(draft, "review")).toBe("source");
  const further = changed(draft, { source: "shop", streams: [newStream("orders")] });
  expect(reachable(further, "review")).toBe("destination");
  expect(reachable(further, "nonsense")).toBe("source");
  expect(missing(further, "streams")).toBeUndefined();
});

test("a change in the guide takes the place of what was written", () => {
  const draft = withStream(draftOfText(FULL), "log", { mode: "replace" });
  expect(draft.text).toBeNull();
  expect(documentText(draft)).toContain("    log:\n      verify: checksum\n");
});

test("a name is suggested", () => {
  const draft = { ...emptyDraft(), source: "shop", destination: "lake" };
  expect(suggestedName({ ...draft, streams: [newStream("public.orders")] })).toBe("orders_to_lake");
  expect(suggestedName({ ...draft, streams: [newStream("in/orders.csv")] })).toBe("orders_to_lake");
  expect(suggestedName({ ...draft, streams: [newStream("a"), newStream("b")] })).toBe("shop_to_lake");
});
