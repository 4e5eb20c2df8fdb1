import { classes } from "../../../components/classes";
import type { StreamProgress } from "../../../api/model";
import type { Course } from "../../../api/use-run-progress";
import { bytes, compact, count, percent } from "../../../format/numbers";
import { Sparkline } from "./Sparkline";

const BOUNDS = {
  read: "Reading from the source holds it back",
  transform: "Transforming rows holds it back",
  write: "Writing to the destination holds it back",
};
const PHASES = { move: "moving rows", commit: "committing", verify: "verifying", ended: "ended" };

/** How fast a sync is, what holds it back, and how far each stream is. */
export function LiveMetrics({ course: { progress, rates } }: { course: Course }) {
  const figures: { name: string; value: string; says?: string }[] = [
    { name: "Rows per second", value: compact(progress.rows_per_second) },
    { name: "Bytes per second", value: bytes(progress.bytes_per_second) },
    { name: "Bytes read", value: bytes(progress.bytes_read) },
    { name: "In memory", value: bytes(progress.bytes_held), says: "Rows that are read and not yet written" },
    { name: "Rows read", value: count(progress.rows_read) },
    { name: "Rows written", value: count(progress.rows_written) },
    { name: "Rejected", value: count(progress.rows_rejected) },
    { name: "Streams", value: `${progress.streams_ended} of ${progress.streams_total}` },
  ];
  return (
    <section aria-label="Live" className="flex flex-col gap-3">
      <dl className="grid grid-cols-2 gap-px overflow-hidden rounded-lg border bg-line sm:grid-cols-4">
        {figures.map(({ name, value, says }) => (
          <div key={name} title={says} className="bg-canvas px-3 py-2">
            <dt className="text-xs text-ink-2">{name}</dt>
            <dd className="tabular text-lg font-semibold">{value}</dd>
          </div>
        ))}
      </dl>
      <div className="flex items-center gap-3">
        <Sparkline values={rates} label="Rows per second until now" />
        <p>{BOUNDS[progress.bound]}.</p>
      </div>
      <ul className="flex flex-col gap-1.5">
        {progress.streams.map((stream) => (
          <StreamRow key={stream.stream} stream={stream} />
        ))}
      </ul>
    </section>
  );
}

function StreamRow({ stream }: { stream: StreamProgress }) {
  const { rows_estimate: estimate, rows_read: read, phase } = stream;
  const part = phase === "ended" ? 1 : estimate ? Math.min(1, read / estimate) : null;
  return (
    <li className="grid grid-cols-[minmax(0,1fr)_auto] gap-x-3 gap-y-1">
      <span className="truncate">{stream.stream}</span>
      <span className="tabular text-xs text-ink-2">
        {count(read)}
        {estimate ? ` of about ${count(estimate)}` : ""} rows, {PHASES[phase]}
      </span>
      <span
        role="progressbar"
        aria-label={stream.stream}
        aria-valuenow={part === null ? undefined : Math.round(part * 100)}
        className="col-span-2 h-1 overflow-hidden rounded-full bg-line"
        title={part === null ? "How many rows there are is not known" : percent(part)}
      >
        <span
          className={classes(
            "block h-full rounded-full",
            phase === "ended" ? "bg-ok" : "bg-run",
            part === null && "animate-slow-pulse",
          )}
          style={{ width: `${(part ?? 1) * 100}%` }}
        />
      </span>
    </li>
  );
}
