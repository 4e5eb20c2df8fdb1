import { Link } from "@tanstack/react-router";
import { useState } from "react";
import type { RunningRun, Sums } from "../../api/model";
import { useLive } from "../../api/use-live";
import { Duration } from "../../components/Duration";
import { Panel } from "../../components/Panel";
import { ProgressBar } from "../../components/ProgressBar";
import { Status } from "../../components/Status";
import { bytes, compact, count, plural } from "../../format/numbers";
import { PanelRows } from "./PanelRows";
import { ofRunning, progressOf, withProgress, type ToldProgress } from "./running-progress";

/** One row: what stands below does not move when a first run starts. */
const ROOM = 37;

interface RunningPanelProps {
  running: RunningRun[] | undefined;
  queued: number | undefined;
}

/** What is at work now, with how fast it moves. */
export function RunningPanel({ running, queued }: RunningPanelProps) {
  const [told, setTold] = useState<ToldProgress>(new Map());
  useLive(running ? "progress" : null, (event) => {
    if (event.kind === "progress")
      setTold((before) =>
        withProgress(ofRunning(before, running ?? []), event.run, event.task_run, event.progress),
      );
  });
  return (
    <Panel
      title="Running now"
      aside={
        queued ? (
          <Link to="/runs" search={{ state: "queued" }} className="text-accent hover:underline">
            {count(queued)} queued
          </Link>
        ) : undefined
      }
    >
      <PanelRows
        rows={running}
        rowKey={(run) => String(run.run)}
        empty="Nothing is running."
        expected={1}
        room={ROOM}
      >
        {(run) => <Row run={run} progress={progressOf(run, told)} />}
      </PanelRows>
    </Panel>
  );
}

function Row({ run, progress }: { run: RunningRun; progress: Sums | null }) {
  return (
    <div className="grid grid-cols-[minmax(0,1fr)_auto] items-center gap-x-4 gap-y-1 md:grid-cols-[minmax(0,1fr)_140px_210px_64px]">
      <p className="flex min-w-0 items-center gap-2">
        <Status state="running" iconOnly />
        <Link
          to="/runs/$id"
          params={{ id: String(run.run) }}
          className="truncate font-medium hover:underline"
        >
          {run.pipeline}
        </Link>
        <span className="shrink-0 text-xs text-ink-3">run {run.run}</span>
      </p>
      <div className="flex items-center gap-2 max-md:order-3">
        <div className="w-16">
          <ProgressBar value={run.ended} max={run.tasks} label={`Tasks of run ${run.run} that have ended`} />
        </div>
        <span className="tabular text-xs whitespace-nowrap text-ink-2">
          {run.ended} of {plural(run.tasks, "task")}
        </span>
      </div>
      <p className="tabular text-right text-xs whitespace-nowrap text-ink-2 max-md:order-4">
        {progress && (
          <>
            {compact(progress.rows_per_second)} rows/s, {bytes(progress.bytes_per_second)}/s
            <span className="ml-2 text-ink-3">{progress.bound}-bound</span>
          </>
        )}
      </p>
      <p className="text-right text-ink-2 max-md:order-2">
        <Duration from={run.started_at ?? run.created_at} />
      </p>
    </div>
  );
}
