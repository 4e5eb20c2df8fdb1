import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { taskDocument } from "./task-document";

describe("taskDocument", () => {
  it("keeps every sign of the query", () => {
    const queries = [
      "SELECT 1",
      "  SELECT 'a: #b',\n\t\"x\"\n\n  FROM shop.t -- end",
      "SELECT ': ' AS \"- y\"",
    ];
    for (const sql of queries) {
      const to = { connection: "dw", stream: "public.t" };
      const text = taskDocument("daily", { sql, params: { day: "2026-01-01", n: 5, none: null } }, to);
      expect(parse(text)).toEqual({
        version: 1,
        name: "daily",
        tasks: {
          query: {
            sql: {
              query: sql.trim(),
              params: { day: "2026-01-01", n: 5, none: null },
              to: { connection: "dw", stream: "public.t", write: "replace" },
            },
          },
        },
      });
    }
    expect(
      taskDocument("a", { sql: "SELECT 1", params: {} }, { connection: "c", stream: "s" }),
    ).not.toContain("params");
  });
});
