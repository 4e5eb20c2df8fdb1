import { LoaderCircle } from "lucide-react";
import type { Plan } from "../../api/model";
import { Skeleton } from "../../components/Skeleton";
import { compact, plural } from "../../format/numbers";
import { PlannedStream } from "./PlannedStream";

interface PlanPanelProps {
  plan: Plan | undefined;
  isPlanning: boolean;
  /** The document cannot be planned as it is. */
  isOff: boolean;
}

/** What the first run would do, told before anything moves. */
export function PlanPanel({ plan, isPlanning, isOff }: PlanPanelProps) {
  return (
    <section aria-labelledby="plan-title" aria-busy={isPlanning} className="min-w-0">
      <div className="mb-2 flex h-8 items-center gap-2">
        <h2 id="plan-title" className="font-semibold">
          What the first run would do
        </h2>
        {isPlanning && (
          <LoaderCircle className="size-3.5 animate-spin text-ink-3" aria-label="Asking both systems" />
        )}
        <span className="grow text-right text-xs text-ink-2">{plan && !isOff && summary(plan)}</span>
      </div>
      {isOff && !isPlanning ? (
        <p className="rounded-lg border px-3 py-6 text-center text-ink-2">
          The plan comes when the document has no mistake.
        </p>
      ) : plan ? (
        <ul className="flex flex-col gap-2">
          {plan.streams.map((stream) => (
            <PlannedStream key={`${stream.task ?? ""} ${stream.stream}`} stream={stream} />
          ))}
          {plan.tasks.map((task) => (
            <li key={task.task} className="rounded-lg border px-3 py-2">
              <p className="font-medium">{task.task}</p>
              <p className="text-ink-2 wrap-anywhere">{task.does}</p>
            </li>
          ))}
        </ul>
      ) : (
        <div className="flex flex-col gap-2">
          {Array.from({ length: 3 }, (_, row) => (
            <Skeleton key={row} className="h-[74px] w-full rounded-lg" />
          ))}
        </div>
      )}
    </section>
  );
}

function summary({ streams }: Plan): string {
  const made = streams.filter((stream) => !stream.exists).length;
  const rows = streams.reduce((sum, stream) => sum + (stream.rows_estimate ?? 0), 0);
  const parts = [
    plural(streams.length, "stream"),
    made > 0 && `${made} to be made`,
    rows > 0 && `about ${compact(rows)} rows`,
  ];
  return parts.filter(Boolean).join(", ");
}
