import type { TaskRun } from "../../../api/model";

/** A part of time, in ms. */
export interface Span {
  from: number;
  to: number;
}

const LEAST_MS = 1_000;

/** The time that a run takes: from its first claim until its end, or now. */
export function spanOf(
  tasks: readonly Pick<TaskRun, "started_at" | "ended_at">[],
  createdAt: string,
  now: number,
): Span {
  let [from, to] = [Infinity, -Infinity];
  for (const { started_at: started, ended_at: ended } of tasks) {
    if (!started) continue;
    from = Math.min(from, Date.parse(started));
    to = Math.max(to, ended ? Date.parse(ended) : now);
  }
  if (from === Infinity) from = Date.parse(createdAt);
  if (to === -Infinity) to = now;
  return { from, to: Math.max(to, from + LEAST_MS) };
}

/** Where a bar stands, in parts of the span; null if none of it is in there. */
export function barOf(
  task: Pick<TaskRun, "started_at" | "ended_at">,
  span: Span,
  now: number,
): { left: number; width: number } | null {
  if (!task.started_at) return null;
  const size = span.to - span.from;
  const start = (Date.parse(task.started_at) - span.from) / size;
  const end = ((task.ended_at ? Date.parse(task.ended_at) : now) - span.from) / size;
  if (end < 0 || start > 1) return null;
  const left = Math.max(0, start);
  return { left, width: Math.max(0, Math.min(1, end) - left) };
}

const STEPS_S = [
  0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400, 172800,
  604800,
];

/** Places on the axis: round distances from the start of the run, some five of them. */
export function ticksOf(span: Span, origin: number, wanted = 5): { at: number; place: number }[] {
  const size = span.to - span.from;
  const step =
    1000 * (STEPS_S.find((seconds) => seconds * 1000 * wanted >= size) ?? (STEPS_S.at(-1) as number));
  const ticks = [];
  const first = Math.ceil((span.from - origin) / step) * step;
  for (let after = first; origin + after <= span.to; after += step)
    ticks.push({ at: after, place: (origin + after - span.from) / size });
  return ticks;
}

/** A span that is nearer or farther, around its middle, and never beyond the whole. */
export function zoomed(span: Span, whole: Span, factor: number): Span {
  const middle = (span.from + span.to) / 2;
  const half = Math.max(LEAST_MS / 4, ((span.to - span.from) * factor) / 2);
  return { from: Math.max(whole.from, middle - half), to: Math.min(whole.to, middle + half) };
}
