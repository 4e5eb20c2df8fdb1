import type { DatasetTest } from "../../api/model";

/** How a verdict looks: as which state, and in which word. */
export function verdictLook(verdict: DatasetTest["verdict"]): { state: string; word: string } {
  switch (verdict) {
    case "passed":
      return { state: "succeeded", word: "Passed" };
    case "warned":
      return { state: "waiting", word: "Warned" };
    case "failed":
      return { state: "failed", word: "Failed" };
  }
}

/** What a test found, in a few words. */
export function foundText(
  test: Pick<DatasetTest, "found" | "rows" | "failed">,
  count: (n: number) => string,
): string {
  if (test.found !== null && test.found !== undefined) return test.found;
  if (test.rows === null || test.rows === undefined) return `${count(test.failed)} wrong`;
  return `${count(test.failed)} of ${count(test.rows)} wrong`;
}

/** The tests that did not pass before those that did, each in its order. */
export function worstFirst<T extends Pick<DatasetTest, "verdict">>(tests: readonly T[]): T[] {
  const ranks = { failed: 0, warned: 1, passed: 2 };
  return tests.toSorted((a, b) => ranks[a.verdict] - ranks[b.verdict]);
}
