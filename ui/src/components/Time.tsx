import { exact, relative, relativeStep } from "../format/durations";
import { useNow } from "./use-now";

interface TimeProps {
  /** The instant; nothing is shown for none. */
  at: string | null | undefined;
  /** What stands in for none. */
  none?: string;
  /** What stands in for an instant that is over, where it was to come: "due". */
  past?: string | undefined;
  className?: string | undefined;
}

/** An instant as seen from now; the exact one, in the user's zone, on hover. */
export function Time({ at, none = "", past, className }: TimeProps) {
  if (!at) return none ? <span className={className ?? "text-ink-3"}>{none}</span> : null;
  return <Known at={at} past={past} className={className} />;
}

function Known({ at, past, className }: Pick<TimeProps, "past" | "className"> & { at: string }) {
  const instant = Date.parse(at);
  const told = useNow(relativeStep(instant, Date.now()));
  const now = Math.max(told, Date.now() - 500);
  return (
    <time dateTime={at} title={exact(instant)} className={className ?? "whitespace-nowrap"}>
      {past !== undefined && instant <= now ? past : relative(instant, now)}
    </time>
  );
}
