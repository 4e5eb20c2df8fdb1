import { useEffect, useMemo, useState } from "react";
import type { Progress, TaskRun } from "./model";
import { useLive } from "./use-live";

/** How a sync goes, and how it went until now. */
export interface Course {
  progress: Progress;
  /** Rows per second, the newest last. */
  rates: number[];
}

const RATES_MAX = 120;

/** How the syncs of a run go, by task run. */
export function useRunProgress(run: number | null, tasks: TaskRun[] | undefined): Map<number, Course> {
  const [told, setTold] = useState<Map<number, Course>>(new Map());
  useEffect(() => setTold(new Map()), [run]);
  useLive(run === null ? null : `run:${run}`, (event) => {
    if (event.kind === "progress") {
      const { task_run: taskRun, progress } = event;
      setTold((before) => {
        const rates = [...(before.get(taskRun)?.rates ?? []), progress.rows_per_second].slice(-RATES_MAX);
        return new Map(before).set(taskRun, { progress, rates });
      });
    }
  });
  return useMemo(() => {
    const courses = new Map<number, Course>();
    for (const { id, state, progress } of tasks ?? []) {
      if (state !== "running" && state !== "stopping") continue;
      const known = told.get(id);
      if (known) courses.set(id, known);
      else if (progress) courses.set(id, { progress, rates: [progress.rows_per_second] });
    }
    return courses;
  }, [told, tasks]);
}
