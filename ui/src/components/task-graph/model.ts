import type { Progress } from "../../api/model";
import type { TaskRun } from "../../api/model";

/** A task in a graph. */
export interface GraphTask {
  name: string;
  kind: string | null;
  /** What it does, in a few words. */
  summary: string;
  after: string[];
  /** How those before it have to end, where that is not the usual. */
  when: string | null;
  /** Done after all other tasks, if they ended so. */
  hook: string | null;
  hasItems: boolean;
  /** What became of it in the run that is shown. */
  taskRun?: TaskRun | undefined;
  progress?: Progress | undefined;
  /** What is wrong with it. */
  mistake?: string | undefined;
}

export interface GraphEdge {
  from: string;
  to: string;
  /** Drawn, but not written: to what is done after all tasks. */
  isImplied: boolean;
}

/** The edges of a graph: those written, and from the last tasks to what is done after all of them. */
export function edgesOf(tasks: readonly GraphTask[]): GraphEdge[] {
  const names = new Set(tasks.map((task) => task.name));
  const waitedFor = new Set(tasks.flatMap((task) => task.after));
  const last = tasks.filter((task) => !task.hook && !waitedFor.has(task.name));
  return tasks.flatMap((task): GraphEdge[] =>
    task.hook
      ? last.map((before) => ({ from: before.name, to: task.name, isImplied: true }))
      : task.after
          .filter((name) => names.has(name))
          .map((from) => ({ from, to: task.name, isImplied: false })),
  );
}

/** Whether a task waits for another, directly or by way of others. */
export function waitsFor(
  tasks: readonly Pick<GraphTask, "name" | "after">[],
  task: string,
  other: string,
): boolean {
  const after = new Map(tasks.map((one) => [one.name, one.after]));
  const [open, seen] = [[task], new Set<string>()];
  for (let next = open.pop(); next !== undefined; next = open.pop())
    for (const before of after.get(next) ?? []) {
      if (before === other) return true;
      if (!seen.has(before)) {
        seen.add(before);
        open.push(before);
      }
    }
  return false;
}

/** Why `to` cannot wait for `from`; undefined if it can. */
export function connectProblem(
  tasks: readonly Pick<GraphTask, "name" | "after" | "hook">[],
  from: string,
  to: string,
): string | undefined {
  const [first, second] = [from, to].map((name) => tasks.find((task) => task.name === name));
  if (from === to) return "A task cannot wait for itself.";
  if (first?.hook) return `${from} comes after all tasks; nothing can wait for it.`;
  if (second?.hook) return `${to} comes after all tasks anyway.`;
  if (second?.after.includes(from)) return `${to} waits for ${from} already.`;
  if (waitsFor(tasks, from, to)) return `${from} waits for ${to}: they would wait for each other for ever.`;
  return undefined;
}

/** Rows that a task handed on, as far as it tells. */
export function rowsOf(taskRun: TaskRun | undefined, progress?: Progress): number | null {
  if (progress) return progress.rows_written;
  const outputs = taskRun?.outputs;
  if (typeof outputs !== "object" || outputs === null || !("written" in outputs)) return null;
  return typeof outputs.written === "number" ? outputs.written : null;
}

/** The state of a task run as it is shown: one that failed before and is to be tried again says so. */
export function shownState(taskRun: TaskRun | undefined): string | null {
  if (!taskRun) return null;
  const isRetrying = taskRun.state === "waiting" && taskRun.failed > 0 && !taskRun.items;
  if (taskRun.state === "waiting" && taskRun.items) return "running";
  return isRetrying ? "retrying" : taskRun.state;
}
