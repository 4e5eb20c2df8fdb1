import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Hourglass } from "lucide-react";
import { useEffect } from "react";
import type { Run, TaskRun } from "../../api/model";
import { whyRunOptions } from "../../api/queries/run-parts";
import { Duration } from "../../components/Duration";
import { PageHeader } from "../../components/PageHeader";
import { Status } from "../../components/Status";
import { Time } from "../../components/Time";
import { isOver } from "../../format/status";
import { RunActions } from "./RunActions";

interface RunHeaderProps {
  run: Run;
  tasks: TaskRun[];
}

/** What a run is of, why it was made, how it goes, and what can be done about it. */
export function RunHeader({ run, tasks }: RunHeaderProps) {
  const params = Object.entries(run.params);
  return (
    <PageHeader
      title={
        <span className="flex flex-wrap items-center gap-x-3 gap-y-1">
          <Link
            to="/pipelines/$name/$tab"
            params={{ name: run.pipeline, tab: "graph" }}
            className="hover:text-accent"
          >
            {run.pipeline}
          </Link>
          <span className="tabular font-normal text-ink-2">#{run.id}</span>
          <Status state={run.state} badge />
        </span>
      }
      summary={
        <span className="flex flex-wrap items-center gap-x-3 gap-y-0.5">
          <Cause run={run} />
          {!isPrompt(run) && (
            <span>
              <Time at={run.created_at} />
            </span>
          )}
          {run.started_at && (
            <span title="From the first claim of a task to the end">
              {run.ended_at ? "took " : "for "}
              <Duration from={run.started_at} to={run.ended_at} />
            </span>
          )}
          <Link
            to="/pipelines/$name/$tab"
            params={{ name: run.pipeline, tab: "code" }}
            search={{ version: String(run.version) }}
            className="hover:text-accent"
          >
            version {run.version}
          </Link>
          {params.map(([name, value]) => (
            <span key={name} className="rounded-sm bg-sunken px-1.5 font-mono text-xs wrap-anywhere">
              {name}={String(value)}
            </span>
          ))}
        </span>
      }
      actions={<RunActions run={run} tasks={tasks} />}
    >
      {isWaiting(run, tasks) && <WhyWaiting run={run} tasks={tasks} />}
    </PageHeader>
  );
}

function Cause({ run }: { run: Run }) {
  const link = (id: number) => (
    <Link to="/runs/$id" params={{ id: String(id) }} className="text-accent hover:underline">
      run {id}
    </Link>
  );
  switch (run.cause) {
    case "manual":
      return <span>Started by hand</span>;
    case "schedule":
      return (
        <span>
          {run.schedule && run.schedule !== "schedule" ? `Schedule ${run.schedule}` : "By its schedule"}
          {run.fire_time && (
            <>
              , due <Time at={run.fire_time} />
            </>
          )}
        </span>
      );
    case "trigger":
      return (
        <span>
          {run.schedule && run.schedule !== "schedule" ? `By the event of ${run.schedule}` : "By an event"}
        </span>
      );
    case "backfill":
      return (
        <span>
          <Link
            to="/runs"
            search={{ backfill: String(run.backfill) }}
            className="text-accent hover:underline"
          >
            Backfill {run.backfill}
          </Link>
          {run.fire_time && `, for ${run.fire_time.slice(0, 16).replace("T", " ").replace(" 00:00", "")}`}
        </span>
      );
    case "pipeline":
      return <span>Started by a task of another pipeline</span>;
    case "retry":
      return <span>{run.retry_of ? <>Retry of {link(run.retry_of)}</> : "Retry"}</span>;
  }
}

/** Whether a run was made as soon as it was due, so that one of both instants is enough. */
function isPrompt({ cause, fire_time: due, created_at: made }: Run): boolean {
  return (
    cause === "schedule" && due !== null && due !== undefined && Date.parse(made) - Date.parse(due) < 60_000
  );
}

/** Whether nothing of a run is at work although it has not ended. */
function isWaiting(run: Run, tasks: TaskRun[]): boolean {
  if (isOver(run.state)) return false;
  return !tasks.some(
    ({ state, items }) =>
      state === "starting" || state === "running" || state === "stopping" || Boolean(items?.active),
  );
}

function WhyWaiting({ run, tasks }: RunHeaderProps) {
  // another state of any task may be another reason
  const states = tasks.map((task) => task.state).join();
  const { data, refetch } = useQuery(whyRunOptions(run.id));
  useEffect(() => void refetch(), [states, refetch]);
  return (
    <p role="status" className="-mt-1 flex min-h-[18px] items-start gap-1.5 pb-3 text-ink-2">
      <Hourglass className="mt-0.5 size-3.5 shrink-0" aria-hidden />
      {data ? sentence(data.why) : "Waiting"}
    </p>
  );
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
