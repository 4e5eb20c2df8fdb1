import type { Failure } from "../../api/model";

export interface FailureGroup {
  /** The newest of them. */
  newest: Failure;
  times: number;
}

/** Failures of one pipeline with one error are one thing to look at. What has not recovered comes first. */
export function groupFailures(failures: Failure[]): FailureGroup[] {
  const groups = new Map<string, FailureGroup>();
  for (const failure of failures) {
    const key = JSON.stringify([failure.pipeline, failure.task, failure.error, failure.recovered]);
    const known = groups.get(key);
    if (known) known.times += 1;
    else groups.set(key, { newest: failure, times: 1 });
  }
  return [...groups.values()].sort((a, b) => Number(a.newest.recovered) - Number(b.newest.recovered));
}
