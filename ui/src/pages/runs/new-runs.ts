import type { RunFilter } from "../../api/queries/runs";

/**
 * Whether an event about a new run tells enough to say if a list shows it: events name the pipeline, and neither the
 * cause nor the backfill; a state they tell is that of a moment.
 */
export function isToldByEvents({ cause, backfill, state, since }: RunFilter, now: number): boolean {
  const isLater = since !== undefined && Date.parse(since) > now;
  return cause === undefined && backfill === undefined && state === undefined && !isLater;
}

/** Whether a run of a pipeline can be in a list at all. */
export function isOfList(pipeline: string, { pipeline: only, search }: RunFilter): boolean {
  if (only !== undefined && only !== pipeline) return false;
  return search === undefined || pipeline.toLowerCase().includes(search.toLowerCase());
}
