import { exact, relative, relativeStep } from "../format/durations";
import { useNow } from "./use-now";

interface TimeProps {
  /** The instant; nothing is shown for none. */
  at: string | null | undefined;
  /** What stands in for none. */
  none?: string;
  className?: string;
}

/** An instant as seen from now; the exact one, in the user's zone, on hover. */
export function Time({ at, none = "", className }: TimeProps) {
  if (!at) return none ? <span className={className ?? "text-ink-3"}>{none}</span> : null;
  return <Known at={at} className={className} />;
}

function Known({ at, className }: { at: string; className?: string | undefined }) {
  const instant = Date.parse(at);
  const now = useNow(relativeStep(instant, Date.now()));
  return (
    <time dateTime={at} title={exact(instant)} className={className ?? "whitespace-nowrap"}>
      {relative(instant, Math.max(now, Date.now() - 500))}
    </time>
  );
}
