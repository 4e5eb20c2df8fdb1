/** How a state looks: the colour and the icon follow from the tone. */
export type Tone = "ok" | "run" | "wait" | "warn" | "fail" | "cancelled" | "skipped" | "paused";

interface Look {
  tone: Tone;
  word: string;
  /** What needs attention comes first. */
  order: number;
}

const LOOKS: Record<string, Look> = {
  failed: { tone: "fail", word: "Failed", order: 0 },
  stopping: { tone: "warn", word: "Stopping", order: 1 },
  running: { tone: "run", word: "Running", order: 2 },
  starting: { tone: "run", word: "Starting", order: 3 },
  retrying: { tone: "warn", word: "Retrying", order: 3 },
  waiting: { tone: "wait", word: "Waiting", order: 4 },
  queued: { tone: "wait", word: "Queued", order: 5 },
  draining: { tone: "warn", word: "Draining", order: 6 },
  paused: { tone: "paused", word: "Paused", order: 7 },
  cancelled: { tone: "cancelled", word: "Cancelled", order: 8 },
  skipped: { tone: "skipped", word: "Skipped", order: 9 },
  active: { tone: "ok", word: "Active", order: 10 },
  succeeded: { tone: "ok", word: "Succeeded", order: 11 },
};

/** How a state of a run, a task, a backfill or a worker is shown. States that are not known are shown as they are named. */
export function look(state: string): Look {
  return LOOKS[state] ?? { tone: "wait", word: sentence(state), order: 12 };
}

/** Whether something in this state will change no more. */
export function isOver(state: string): boolean {
  return state === "succeeded" || state === "failed" || state === "cancelled" || state === "skipped";
}

/** `in_progress` as `In progress`. */
export function sentence(word: string): string {
  const text = word.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}
