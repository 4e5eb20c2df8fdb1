import { expect, test } from "vitest";
import type { LineageGraph } from "../../api/model";
import { besides, graphWords, lineageTasks } from "./lineage-tasks";

const edge = (from: string, to: string) => ({
  from,
  to,
  pipeline: "p",
  task: "t",
  run: 1,
  is_external: false,
  external_run: null,
  at: "2026-01-01T00:00:00Z",
  columns: [{ from: "id", to: "id", how: "copied" as const }],
});
const node = (name: string, rows: number | null) => ({
  name,
  connection: "c",
  is_external: false,
  tags: [],
  updated_at: rows === null ? null : "2026-01-01T00:00:00Z",
  rows_estimate: rows,
});
const GRAPH: LineageGraph = {
  dataset: "b",
  nodes: [node("a", null), node("b", 1_200), node("c", 3)],
  // two tasks make the same
  edges: [edge("a", "b"), { ...edge("a", "b"), task: "u" }, edge("b", "c")],
  cut: false,
};

test("each dataset comes once after those that it is made from", () => {
  expect(lineageTasks(GRAPH).map(({ name, after, summary }) => [name, after, summary])).toEqual([
    ["a", [], "only read"],
    ["b", ["a"], "about 1.2K rows"],
    ["c", ["b"], "about 3 rows"],
  ]);
  expect(graphWords(GRAPH)).toBe("3 datasets");
});

test("what lies beside a dataset is told by task, sources first", () => {
  expect(besides(GRAPH, "b").map(({ other, isSource, task }) => [other, isSource, task])).toEqual([
    ["a", true, "t"],
    ["a", true, "u"],
    ["c", false, "t"],
  ]);
});

test("what others make is told as theirs", () => {
  const theirs = { ...edge("a", "s3://x/b"), run: null, is_external: true, external_run: "018b" };
  const graph = {
    ...GRAPH,
    nodes: [node("a", null), { ...node("s3://x/b", null), is_external: true }],
    edges: [theirs],
  };
  expect(lineageTasks(graph).map(({ summary }) => summary)).toEqual(["only read", "of others"]);
  expect(besides(graph, "a").map(({ run }) => run)).toEqual([null]);
});
