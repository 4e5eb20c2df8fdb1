import type { Run, TaskState } from "../../../api/model";

/** The names of all tasks, in the order of the newest run that has them, and the tasks by run and name. */
export function gridOf(runs: readonly Run[]): {
  names: string[];
  cells: Map<number, Map<string, TaskState>>;
} {
  const names = new Set<string>();
  const cells = new Map<number, Map<string, TaskState>>();
  for (const { id, tasks = [] } of runs) {
    const row = new Map<string, TaskState>();
    for (const task of tasks ?? []) {
      names.add(task.task);
      row.set(task.task, task);
    }
    cells.set(id, row);
  }
  return { names: [...names], cells };
}

/** The state as it is shown: one that waits for its items or for another run is at work, one that failed is tried again. */
export function cellState({ state, until, failed }: TaskState): string {
  if (state !== "waiting") return state;
  if (!until) return "running";
  return failed > 0 ? "retrying" : state;
}

/** How long a run took, in seconds; null while it goes on and if nothing of it started. */
export function secondsOf(run: Pick<Run, "started_at" | "ended_at"> | undefined): number | null {
  if (!run?.started_at || !run.ended_at) return null;
  return Math.max(0, Date.parse(run.ended_at) - Date.parse(run.started_at)) / 1000;
}
