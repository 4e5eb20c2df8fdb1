import type { TaskRun } from "../../../api/model";
import type { Course } from "../../../api/use-run-progress";
import type { GraphTask } from "../../../components/task-graph/model";
import type { TaskEntry } from "../../../format/pipeline-outline";

/** The tasks of a document with what became of them in a run. */
export function graphTasks(
  entries: readonly TaskEntry[],
  taskRuns: readonly TaskRun[] = [],
  courses: ReadonlyMap<number, Course> = new Map(),
): GraphTask[] {
  const byName = new Map(taskRuns.map((taskRun) => [taskRun.task, taskRun]));
  return entries.map(({ name, kind, summary, after, when, hook, hasItems }) => {
    const taskRun = byName.get(name);
    const progress = taskRun && courses.get(taskRun.id)?.progress;
    return { name, kind, summary, after, when, hook, hasItems, taskRun, progress };
  });
}
