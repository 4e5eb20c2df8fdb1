import { describe, expect, it } from "vitest";
import { bare, paramsOf, valueOf } from "./params";

describe("params", () => {
  it("are found where they are SQL, each once", () => {
    expect(paramsOf("SELECT $a, '$b', \"$c\" -- $d\n/* $e */ FROM t WHERE x > $since AND y = $a")).toEqual([
      "a",
      "since",
    ]);
    expect(paramsOf("SELECT 'it''s $x', 1")).toEqual([]);
  });

  it("leaves every place where it is", () => {
    expect(bare("a 'b c' d")).toBe("a       d");
  });

  it("are what they look like, and lose no digit", () => {
    expect(["5", "-1.5", "true", "null"].map(valueOf)).toEqual([5, -1.5, true, null]);
    for (const text of ["007", "2026-01-01", "9007199254740993", "1e3", "", "True"])
      expect(valueOf(text)).toBe(text);
  });
});
