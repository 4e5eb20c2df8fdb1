import { describe, expect, it } from "vitest";
import { diagnosticsOf, offsetOf } from "./diagnostics";

describe("diagnostics", () => {
  const sql = "SELECT '🦀', nme\nFROM shop.n WERE id";

  it("finds a line and a column, whatever signs stand before", () => {
    expect(sql.slice(offsetOf(sql, "line 1, column 13") ?? 0).startsWith("nme")).toBe(true);
    expect(sql.slice(offsetOf(sql, "line 2, column 13") ?? 0)).toBe("WERE id");
    expect(offsetOf(sql, "line 9, column 9")).toBe(sql.length);
    expect(offsetOf(sql, "`shop.n`")).toBeNull();
  });

  it("marks the word at the place", () => {
    const mistake = {
      kind: "config",
      message: "no SQL",
      place: ["line 2, column 13"],
      advice: "Correct it.",
    };
    const [found] = diagnosticsOf(sql, [mistake]);
    expect(sql.slice(found?.from, found?.to)).toBe("WERE");
    expect(diagnosticsOf(sql, [{ ...mistake, place: ["`shop.n`"] }])).toEqual([]);
  });
});
