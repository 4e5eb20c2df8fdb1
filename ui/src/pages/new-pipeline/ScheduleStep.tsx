import { CalendarClock, FileDown, Hand, Link2, Repeat, Table2, type LucideIcon } from "lucide-react";
import { useId } from "react";
import { classes } from "../../components/classes";
import { Callout } from "../../components/Callout";
import { CronFields } from "./CronFields";
import { changed } from "./draft";
import { Fires } from "./Fires";
import { IntervalFields } from "./IntervalFields";
import { isTimed, scheduleMistake, type ScheduleDraft } from "./schedule";
import { StepFooter } from "./StepFooter";
import type { StepProps } from "./step-props";
import { TriggerFields } from "./TriggerFields";

type Kind = Exclude<ScheduleDraft["kind"], "other">;

const KINDS: { kind: Kind; title: string; says: string; icon: LucideIcon }[] = [
  { kind: "manual", title: "By hand", says: "It runs when somebody, or a program, says so.", icon: Hand },
  {
    kind: "cron",
    title: "At times",
    says: "Daily, weekly, monthly, or by a cron expression.",
    icon: CalendarClock,
  },
  {
    kind: "every",
    title: "At intervals",
    says: "Every so many minutes, whatever the clock says.",
    icon: Repeat,
  },
  {
    kind: "pipeline",
    title: "After a pipeline",
    says: "As soon as a run of another one has ended.",
    icon: Link2,
  },
  {
    kind: "dataset",
    title: "After a dataset",
    says: "As soon as a stream was loaded, by whichever pipeline.",
    icon: Table2,
  },
  {
    kind: "file",
    title: "When files arrive",
    says: "As soon as a file is new or has changed.",
    icon: FileDown,
  },
];

const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

/** When the pipeline runs by itself. */
export function ScheduleStep({ draft, onChange }: StepProps) {
  const group = useId();
  const { schedule } = draft;
  const set = (next: ScheduleDraft) => onChange((before) => changed(before, { schedule: next }));
  const mistake = scheduleMistake(schedule);
  return (
    <>
      <div className="min-h-0 grow overflow-y-auto p-4 sm:p-6">
        <h2 className="mb-4 text-lg font-semibold">When does it run?</h2>
        <fieldset className="grid gap-3 sm:grid-cols-2 lg:grid-cols-3">
          <legend className="sr-only">When does it run?</legend>
          {KINDS.map(({ kind, title, says, icon: Icon }) => (
            <label
              key={kind}
              className={classes(
                "relative flex cursor-pointer gap-2.5 rounded-lg border p-3 has-focus-visible:outline-2 has-focus-visible:outline-accent",
                schedule.kind === kind
                  ? "border-accent bg-accent-soft ring-1 ring-accent"
                  : "bg-raised hover:border-line-strong hover:bg-hover",
              )}
            >
              <input
                type="radio"
                name={group}
                value={kind}
                checked={schedule.kind === kind}
                onChange={() => set(begin(kind))}
                className="sr-only"
              />
              <Icon className="mt-0.5 size-4 shrink-0 text-ink-2" aria-hidden />
              <span>
                <span className="block font-medium">{title}</span>
                <span className="block text-xs text-ink-2">{says}</span>
              </span>
            </label>
          ))}
        </fieldset>
        <div className="mt-6 grid gap-x-8 gap-y-6 lg:grid-cols-2">
          {schedule.kind === "cron" && <CronFields schedule={schedule} onChange={set} />}
          {schedule.kind === "every" && <IntervalFields schedule={schedule} onChange={set} />}
          {(schedule.kind === "pipeline" || schedule.kind === "dataset" || schedule.kind === "file") && (
            <TriggerFields schedule={schedule} onChange={set} draft={draft} />
          )}
          {schedule.kind === "other" && (
            <Callout>
              The document has a schedule that the steps do not show; it is kept. Choosing another one
              replaces it.
            </Callout>
          )}
          {isTimed(schedule) && !mistake && <Fires schedule={schedule} />}
        </div>
      </div>
      <StepFooter step="schedule" reason={mistake} />
    </>
  );
}

function begin(kind: Kind): ScheduleDraft {
  switch (kind) {
    case "manual":
      return { kind };
    case "cron":
      return { kind, cron: "0 6 * * *", timezone: ZONE };
    case "every":
      return { kind, every: "15m" };
    case "pipeline":
      return { kind, pipeline: "", state: "succeeded" };
    case "dataset":
      return { kind, dataset: "" };
    case "file":
      return { kind, connection: "", path: "" };
  }
}
