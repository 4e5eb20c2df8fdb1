import type { components } from "../../../api/schema";
import { plural } from "../../../format/numbers";

type Replay = components["schemas"]["Replay"];

interface Outcome {
  tone: "ok" | "warn" | "info";
  title: string;
  /** What to do next. */
  advice: string | undefined;
}

/** What became of rows that were loaded again, in words. */
export function replayOutcome({ read, written, rejected }: Replay): Outcome {
  if (read === 0) return { tone: "info", title: "No rows were left to load.", advice: undefined };
  if (rejected === 0)
    return {
      tone: "ok",
      title: read === 1 ? "The row is loaded." : `All ${plural(read, "row")} are loaded.`,
      advice: undefined,
    };
  const advice = "Change the pipeline or the target so that they fit, and load them again.";
  if (written === 0)
    return { tone: "warn", title: `${plural(rejected, "row")} still ${fit(rejected)}.`, advice };
  return {
    tone: "warn",
    title: `${plural(written, "row")} of ${read} ${written === 1 ? "is" : "are"} loaded, ${rejected} still ${fit(rejected)}.`,
    advice,
  };
}

function fit(rows: number): string {
  return rows === 1 ? "does not fit" : "do not fit";
}
