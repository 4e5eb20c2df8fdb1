import { describe, expect, it } from "vitest";
import type { QueryAnswer } from "../../api/model";
import { chartOf } from "./chart";

function answer(types: string[], rows: (string | null)[][]): QueryAnswer {
  const columns = types.map((type, at) => ({ name: `c${at}`, type, native: null, nullable: true }));
  return { columns, rows, cut: null, shortened: 0, ms: 1 };
}

describe("chartOf", () => {
  it("stands instants and numbers where they belong, and words in the order of the rows", () => {
    const days = chartOf(
      answer(
        ["date", "int64"],
        [
          ["2026-01-02", "2"],
          ["2026-01-01", "1"],
          [null, "9"],
          ["2026-01-03", null],
        ],
      ),
    );
    expect(days).toMatchObject({
      x: { kind: "time", values: [1767225600, 1767312000, 1767398400] },
      series: [{ name: "c1", values: [1, 2, null] }],
      leftOut: 1,
    });
    const words = chartOf(
      answer(
        ["text", "decimal(5,2)"],
        [
          ["b", "2.50"],
          ["a", "NaN"],
        ],
      ),
    );
    expect(words).toMatchObject({
      x: { words: ["b", "a"], values: [0, 1] },
      series: [{ values: [2.5, null] }],
    });
    expect(chartOf(answer(["int64"], [["7"], ["8"]]))).toMatchObject({
      x: { name: "row", words: ["1", "2"] },
      series: [{ name: "c0", values: [7, 8] }],
    });
  });

  it("says why there is nothing to draw", () => {
    for (const [types, rows] of [
      [["text"], [["a"]]],
      [["int64", "text"], [["1", "a"]]],
      [["text", "int64"], []],
    ] as const)
      expect(
        chartOf(
          answer(
            [...types],
            rows.map((row) => [...row]),
          ),
        ),
      ).toMatch(/^There (is|are) no/);
  });
});
