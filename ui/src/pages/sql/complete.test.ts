import { describe, expect, it } from "vitest";
import type { StreamFound } from "../../api/model";
import { optionsAt, quoted, readsOf, type World } from "./complete";

function stream(name: string, namespace: string | null, columns: string[]): StreamFound {
  return {
    stream: name,
    namespace,
    table: namespace ? name.slice(namespace.length + 1) : name,
    key: [],
    rows_estimate: null,
    bytes_estimate: null,
    cursors: [],
    columns: columns.map((column) => ({ name: column, type: "text", native: null, nullable: true })),
  };
}

const asked: string[] = [];
const WORLD: World = {
  connections: ["shop", "in-box"],
  streams: async (connection) => {
    asked.push(connection);
    return connection === "shop"
      ? [stream("public.orders", "public", ["id", "End"]), stream("public.Two Words", "public", [])]
      : [stream("a/*.csv", null, ["n"])];
  },
};
const labels = async (text: string, parts: string[]) =>
  (await optionsAt(WORLD, text, parts)).map((option) => `${option.label} ${String(option.apply)}`);

describe("completions", () => {
  it("offers streams behind a connection, quoted where SQL needs it", async () => {
    expect(await labels("", ["shop"])).toEqual([
      "public.orders public.orders",
      'public.Two Words public."Two Words"',
    ]);
    expect(await labels("", ["shop", "public"])).toEqual(["orders orders", 'Two Words "Two Words"']);
    expect(await labels("", ["in-box"])).toEqual(['a/*.csv "a/*.csv"']);
    expect(await labels("", ["nowhere"])).toEqual([]);
  });

  it("offers columns of what is read, by its name or by another one", async () => {
    const sql = 'SELECT o. FROM shop.public.orders AS o JOIN "in-box"."a/*.csv" ON o.id = 1';
    expect(await labels(sql, ["o"])).toEqual(["id id", 'End "End"']);
    expect(await labels(sql, ["a/*.csv"])).toEqual(["n n"]);
    const all = await labels(sql, []);
    expect(all).toContain("id id");
    expect(all).toContain("n n");
    expect(all).toContain('in-box "in-box".');
  });

  it("asks no connection that the query does not name", async () => {
    asked.length = 0;
    await optionsAt(WORLD, "SELECT 1", []);
    expect(asked).toEqual([]);
  });

  it("reads which streams a query names", () => {
    expect(readsOf("SELECT 1 FROM shop.a WHERE x = ' FROM shop.b' -- FROM shop.c")).toEqual([
      { connection: "shop", stream: "a", names: ["a"] },
    ]);
    expect(quoted("select")).toBe('"select"');
    expect(quoted('a"b')).toBe('"a""b"');
  });
});
