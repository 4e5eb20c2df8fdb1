import type { LineageGraph } from "../../api/model";
import type { GraphTask } from "../../components/task-graph/model";
import { compact, plural } from "../../format/numbers";

/** The datasets of a graph as its drawing takes them: each after those that it is made from. */
export function lineageTasks({ nodes, edges }: LineageGraph): GraphTask[] {
  const sources = new Map<string, Set<string>>();
  for (const { from, to } of edges) {
    const known = sources.get(to) ?? new Set();
    sources.set(to, known.add(from));
  }
  return nodes.map(({ name, is_external, updated_at, rows_estimate, tags }) => ({
    name,
    kind: "dataset",
    summary: [
      is_external ? "of others" : updated_at ? null : "only read",
      rows_estimate === null || rows_estimate === undefined ? null : `about ${compact(rows_estimate)} rows`,
      ...tags,
    ]
      .filter(Boolean)
      .join(", "),
    after: [...(sources.get(name) ?? [])],
    when: null,
    hook: null,
    hasItems: false,
  }));
}

/** The ways of columns between a dataset and those beside it, in words. */
export interface Beside {
  other: string;
  isSource: boolean;
  pipeline: string;
  task: string;
  /** Null of a job of others. */
  run: number | null;
  at: string;
  columns: { from: string; to: string; how: string }[];
}

/** What lies right before and right after a dataset, the sources first. */
export function besides({ edges }: LineageGraph, name: string): Beside[] {
  const beside = (isSource: boolean) =>
    edges
      .filter((edge) => (isSource ? edge.to : edge.from) === name)
      .map(({ from, to, pipeline, task, run, at, columns }) => ({
        other: isSource ? from : to,
        isSource,
        pipeline,
        task,
        run: run ?? null,
        at,
        columns: columns ?? [],
      }));
  return [...beside(true), ...beside(false)];
}

/** `3 datasets, 2 steps up` for a heading. */
export function graphWords({ nodes, cut }: LineageGraph): string {
  return `${plural(nodes.length, "dataset")}${cut ? ", and more than is shown" : ""}`;
}
