import { duration, elapsed } from "../format/durations";
import { useNow } from "./use-now";

interface DurationProps {
  from: string | null | undefined;
  /** Where it ended; it grows while there is no end. */
  to?: string | null | undefined;
}

/** How long something took, or is taking. */
export function Duration({ from, to }: DurationProps) {
  if (!from) return null;
  if (to)
    return <span className="tabular whitespace-nowrap">{duration(Date.parse(to) - Date.parse(from))}</span>;
  return <Growing from={Date.parse(from)} />;
}

function Growing({ from }: { from: number }) {
  return <span className="tabular whitespace-nowrap">{elapsed(useNow(1_000) - from)}</span>;
}
