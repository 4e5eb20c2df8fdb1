import type { GraphTask } from "./model";

type Task = Pick<GraphTask, "name" | "after">;

/**
 * The tasks around one of them, at most so many: those before and after it, then those next to these, and so on. In the
 * order that they had; all of them where there are not so many.
 */
export function nearest<T extends Task>(tasks: readonly T[], center: string | undefined, most: number): T[] {
  if (tasks.length <= most) return [...tasks];
  const beside = new Map<string, string[]>(tasks.map((task) => [task.name, [...task.after]]));
  for (const { name, after } of tasks) for (const before of after) beside.get(before)?.push(name);
  const first = center !== undefined && beside.has(center) ? center : tasks[0]?.name;
  const found = new Set<string>(first === undefined ? [] : [first]);
  // a set that grows is walked to its end
  for (const name of found)
    for (const next of beside.get(name) ?? []) {
      if (found.size >= most) break;
      if (beside.has(next)) found.add(next);
    }
  return tasks.filter((task) => found.has(task.name));
}
