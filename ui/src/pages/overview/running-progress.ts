import type { RunningRun, Sums } from "../../api/model";

/** The latest figures of each task of each run, as events told them. */
export type ToldProgress = ReadonlyMap<number, ReadonlyMap<number, Sums>>;

/** The figures with those of one more event. */
export function withProgress(told: ToldProgress, run: number, taskRun: number, sums: Sums): ToldProgress {
  return new Map(told).set(run, new Map(told.get(run)).set(taskRun, sums));
}

/** Without those of runs that are not at work any more. */
export function ofRunning(told: ToldProgress, running: readonly Pick<RunningRun, "run">[]): ToldProgress {
  const open = new Set(running.map(({ run }) => run));
  return new Map([...told].filter(([run]) => open.has(run)));
}

/** How a run is doing: what events told since, else what was read with the page. */
export function progressOf({ run, progress }: RunningRun, told: ToldProgress): Sums | null {
  const tasks = [...(told.get(run)?.values() ?? [])];
  const [first, ...others] = tasks;
  return first ? others.reduce(sum, first) : (progress ?? null);
}

function sum(a: Sums, b: Sums): Sums {
  return {
    rows_read: a.rows_read + b.rows_read,
    bytes_read: a.bytes_read + b.bytes_read,
    bytes_held: a.bytes_held + b.bytes_held,
    rows_written: a.rows_written + b.rows_written,
    rows_rejected: a.rows_rejected + b.rows_rejected,
    rows_per_second: a.rows_per_second + b.rows_per_second,
    bytes_per_second: a.bytes_per_second + b.bytes_per_second,
    // of several, the one that moves the most says what holds the run up
    bound: a.bytes_per_second >= b.bytes_per_second ? a.bound : b.bound,
  };
}
