import type { Run, TaskRun } from "../../../api/model";

/** The names of all tasks, in the order of the newest run that has them, and the task runs by run and name. */
export function gridOf(byRun: ReadonlyMap<number, readonly TaskRun[]>): {
  names: string[];
  cells: Map<number, Map<string, TaskRun>>;
} {
  const newest = [...byRun.keys()].sort((a, b) => b - a);
  const names = new Set<string>();
  const cells = new Map<number, Map<string, TaskRun>>();
  for (const run of newest) {
    const tasks = byRun.get(run) ?? [];
    tasks.forEach((task) => names.add(task.task));
    cells.set(run, new Map(tasks.map((task) => [task.task, task])));
  }
  return { names: [...names], cells };
}

/** How long a run took, in seconds; null while it goes on and if nothing of it started. */
export function secondsOf(run: Pick<Run, "started_at" | "ended_at"> | undefined): number | null {
  if (!run?.started_at || !run.ended_at) return null;
  return Math.max(0, Date.parse(run.ended_at) - Date.parse(run.started_at)) / 1000;
}
