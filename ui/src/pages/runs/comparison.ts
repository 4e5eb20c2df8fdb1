import type { Run, TaskRun } from "../../api/model";

export interface Fact {
  name: string;
  a: string;
  b: string;
  differs: boolean;
}

export interface TaskPair {
  task: string;
  a: TaskRun | undefined;
  b: TaskRun | undefined;
  /** How much longer the second took; undefined unless both have ended. */
  longerMs: number | undefined;
}

/** The parameters of two runs side by side. */
export function paramFacts(a: Run, b: Run): Fact[] {
  const names = [...new Set([...Object.keys(a.params), ...Object.keys(b.params)])].sort();
  return names.map((name) => {
    const [left, right] = [shown(a.params[name]), shown(b.params[name])];
    return { name, a: left, b: right, differs: left !== right };
  });
}

/** The tasks of two runs side by side, in the order of the second and then of the first. Items count with their task. */
export function taskPairs(a: TaskRun[], b: TaskRun[]): TaskPair[] {
  const [left, right] = [byTask(a), byTask(b)];
  const names = [...new Set([...right.keys(), ...left.keys()])];
  return names.map((task) => {
    const pair = { task, a: left.get(task), b: right.get(task) };
    const [before, after] = [tookMs(pair.a), tookMs(pair.b)];
    return { ...pair, longerMs: before === undefined || after === undefined ? undefined : after - before };
  });
}

/** How long something took; undefined while it has not ended. */
export function tookMs(
  span: { started_at?: string | null; ended_at?: string | null } | undefined,
): number | undefined {
  if (!span?.started_at || !span.ended_at) return undefined;
  return Date.parse(span.ended_at) - Date.parse(span.started_at);
}

function byTask(tasks: TaskRun[]): Map<string, TaskRun> {
  const whole = tasks.filter((task) => task.item === undefined || task.item === null);
  return new Map(whole.map((task) => [task.task, task]));
}

function shown(value: unknown): string {
  if (value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}
