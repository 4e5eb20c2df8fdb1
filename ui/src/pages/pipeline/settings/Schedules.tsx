import { useQuery } from "@tanstack/react-query";
import { CalendarOff } from "lucide-react";
import { messageOf } from "../../../api/error";
import type { Schedule } from "../../../api/model";
import { pipelineItemOptions } from "../../../api/queries/pipeline-item";
import { usePausePipeline } from "../../../api/queries/pipelines";
import { firesOptions, schedulesOptions, usePauseSchedule } from "../../../api/queries/schedules";
import { EmptyState } from "../../../components/EmptyState";
import { ErrorState } from "../../../components/ErrorState";
import { Panel } from "../../../components/Panel";
import { Skeleton } from "../../../components/Skeleton";
import { Switch } from "../../../components/Switch";
import { Time } from "../../../components/Time";
import { toast } from "../../../components/toasts";
import { scheduleWords } from "../../../format/schedule-words";
import { useAllowed } from "../use-allowed";

/** Whether a pipeline runs by itself, and when. */
export function Schedules({ pipeline }: { pipeline: string }) {
  const { data, error, refetch } = useQuery(schedulesOptions(pipeline));
  const { data: item } = useQuery(pipelineItemOptions(pipeline));
  const denial = useAllowed(pipeline, "operator");
  const pause = usePausePipeline();
  const isPaused = item?.paused ?? data?.items.some((schedule) => schedule.pipeline_paused) ?? false;
  const toggle = (isOn: boolean) =>
    pause.mutate(
      { pipeline, paused: !isOn },
      { onError: (failure) => toast(messageOf(failure), { tone: "fail" }) },
    );
  return (
    <Panel
      title="Runs by itself"
      aside={
        <span className="flex items-center gap-2">
          {isPaused ? "Paused: nothing of it starts" : "On"}
          <Switch label="Runs by itself" checked={!isPaused} onCheckedChange={toggle} reason={denial} />
        </span>
      }
    >
      {error && !data ? (
        <ErrorState error={error} onRetry={() => void refetch()} />
      ) : !data ? (
        <Skeleton className="m-3 h-24" />
      ) : data.items.length === 0 ? (
        <EmptyState icon={CalendarOff} title="It has no schedule">
          Add `schedule:` to its document, and it runs by itself.
        </EmptyState>
      ) : (
        <ul>
          {data.items.map((schedule) => (
            <OneSchedule key={schedule.schedule} schedule={schedule} denial={denial} />
          ))}
        </ul>
      )}
    </Panel>
  );
}

function OneSchedule({ schedule, denial }: { schedule: Schedule; denial: string | undefined }) {
  const pause = usePauseSchedule(schedule.pipeline);
  const isByTime = schedule.kind === "time";
  const { data: fires } = useQuery({
    ...firesOptions(schedule.pipeline, schedule.schedule),
    enabled: isByTime,
  });
  const toggle = (isOn: boolean) =>
    pause.mutate(
      { schedule: schedule.schedule, paused: !isOn },
      { onError: (error) => toast(messageOf(error), { tone: "fail" }) },
    );
  return (
    <li className="flex flex-col gap-2 border-b px-3 py-3 last:border-b-0">
      <div className="flex items-start gap-3">
        <div className="min-w-0 grow">
          <p className="font-medium wrap-anywhere" title={schedule.fires}>
            {scheduleWords(schedule.fires)}
          </p>
          <p className="text-xs text-ink-2">
            {schedule.schedule}
            {schedule.last_at && (
              <>
                , last fired <Time at={schedule.last_at} />
              </>
            )}
            {schedule.catchup !== "last" &&
              `, makes up for ${schedule.catchup === "all" ? "all missed fires" : "no missed fire"}`}
          </p>
        </div>
        <Switch
          label={`Schedule ${schedule.schedule}`}
          checked={!schedule.paused}
          onCheckedChange={toggle}
          reason={denial}
        />
      </div>
      {isByTime && (
        <div className="min-h-[98px]">
          <p className="mb-1 text-xs text-ink-2">
            Next fires{fires ? `, ${fires.timezone}` : ""}
            {!schedule.active && ", once it is not paused"}
          </p>
          <ol className="flex flex-col gap-0.5">
            {fires?.fires.map((fire) => (
              <li key={fire.utc} className="tabular grid grid-cols-[1fr_auto] gap-4">
                <span>{localTime(fire.local)}</span>
                <span className="text-ink-2">
                  <Time at={fire.utc} />
                </span>
              </li>
            ))}
          </ol>
        </div>
      )}
    </li>
  );
}

/** An instant on the clock of its zone: `Sun 2026-11-22 05:15`. */
function localTime(local: string): string {
  const [date = "", time = ""] = local.split("T");
  const day = new Date(`${date}T00:00:00Z`).toLocaleDateString("en", { weekday: "short", timeZone: "UTC" });
  return `${day} ${date} ${time.slice(0, time.slice(5, 8) === ":00" ? 5 : 8)}`;
}
