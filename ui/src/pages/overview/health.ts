import type { Overview } from "../../api/model";
import { plural } from "../../format/numbers";

export interface Health {
  state: "failed" | "running" | "succeeded" | "paused";
  text: string;
}

/** The state of everything in one line: what is broken first, then what is at work. */
export function healthOf({ failures, runs, pipelines, capacity }: Overview): Health {
  const broken = new Set(failures.filter((failure) => !failure.recovered).map((failure) => failure.pipeline));
  if (broken.size > 0) {
    const [first] = broken;
    const text = broken.size === 1 ? `${first} needs attention` : `${broken.size} pipelines need attention`;
    return { state: "failed", text };
  }
  if (capacity.workers === 0 && runs.queued > 0)
    return {
      state: "failed",
      text: `${plural(runs.queued, "run waits", "runs wait")}, and no worker is signed on`,
    };
  if (pipelines.total > 0 && pipelines.paused === pipelines.total)
    return { state: "paused", text: "Every pipeline is paused" };
  if (runs.running > 0)
    return { state: "running", text: `All is well, ${plural(runs.running, "run")} at work` };
  return { state: "succeeded", text: "All is well" };
}
