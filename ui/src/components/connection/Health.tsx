import { CircleCheck, CircleDashed, CircleX, LoaderCircle, TriangleAlert } from "lucide-react";
import { messageOf } from "../../api/error";
import type { ConnectionTest } from "../../api/model";
import { duration } from "../../format/durations";
import { Time } from "../Time";

interface HealthProps {
  /** Why it cannot be used as it is written. */
  problem: string | null | undefined;
  tested: ConnectionTest | null | undefined;
  isTesting: boolean;
  /** Why the test itself could not be made. */
  error: unknown;
}

/** Whether a connection works, as far as that was tried. */
export function Health({ problem, tested, isTesting, error }: HealthProps) {
  const common = "inline-flex min-w-0 items-center gap-1.5";
  if (isTesting)
    return (
      <span className={`${common} text-ink-2`}>
        <LoaderCircle className="size-3.5 shrink-0 animate-spin" aria-hidden />
        Testing
      </span>
    );
  if (problem)
    return (
      <span className={`${common} text-warn`} title={problem}>
        <TriangleAlert className="size-3.5 shrink-0" aria-hidden />
        <span className="truncate">Not usable as it is</span>
      </span>
    );
  if (error && !tested)
    return (
      <span className={`${common} text-fail`} title={messageOf(error)}>
        <CircleX className="size-3.5 shrink-0" aria-hidden />
        <span className="truncate">Not tested: {messageOf(error)}</span>
      </span>
    );
  if (!tested)
    return (
      <span className={`${common} text-ink-3`}>
        <CircleDashed className="size-3.5 shrink-0" aria-hidden />
        Not tested yet
      </span>
    );
  const failed = tested.steps.find((step) => step.error);
  return failed ? (
    <span
      className={`${common} text-fail`}
      title={`${failed.error?.message ?? ""} ${failed.error?.advice ?? ""}`.trim()}
    >
      <CircleX className="size-3.5 shrink-0" aria-hidden />
      <span className="truncate">Failed at {failed.step}</span>
      <Time at={tested.at} className="shrink-0 whitespace-nowrap text-ink-3" />
    </span>
  ) : (
    <span className={`${common} text-ok`}>
      <CircleCheck className="size-3.5 shrink-0" aria-hidden />
      Works, {duration(tested.steps.reduce((sum, step) => sum + step.ms, 0))}
      <Time at={tested.at} className="shrink-0 whitespace-nowrap text-ink-3" />
    </span>
  );
}
