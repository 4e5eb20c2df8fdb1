import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import type { RunEvent, TaskRun } from "../../../api/model";
import { runHistoryOptions } from "../../../api/queries/run-parts";
import { EmptyState } from "../../../components/EmptyState";
import { ErrorState } from "../../../components/ErrorState";
import { SkeletonRows } from "../../../components/SkeletonRows";
import { Status } from "../../../components/Status";
import { Time } from "../../../components/Time";
import { duration } from "../../../format/durations";

const WORDS: Record<string, string> = {
  created: "Made",
  claimed: "Claimed by a worker",
  started: "Started",
  progressed: "Still at work",
  deferred: "Put off: it waits without a worker",
  expanded: "Split into items",
  finished: "Finished",
  errored: "Failed",
  stop_asked: "Asked to stop",
  stopped: "Stopped",
  lease_lost: "Its worker was lost",
  retry_due: "Queued again",
  upstream_failed: "Left out, because of the tasks before it",
};

/** Every step of a task: its attempts, their ends, and what was asked of it. */
export function History({ run, task }: { run: number; task: TaskRun }) {
  const { data, error, refetch, hasNextPage, isFetchingNextPage, fetchNextPage } = useInfiniteQuery(
    runHistoryOptions(run),
  );
  useEffect(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  if (error && !data) return <ErrorState error={error} onRetry={() => void refetch()} />;
  if (!data) return <SkeletonRows rows={4} />;
  const events = data.pages.flatMap((page) => page.items).filter((event) => event.task_run === task.id);
  if (events.length === 0 && !hasNextPage) return <EmptyState title="Nothing has happened to it yet" />;
  return (
    <ol className="min-h-0 grow overflow-y-auto px-4 py-3 sm:px-6">
      {events.map((event, index) => (
        <li key={event.id} className="grid grid-cols-[auto_1fr_auto] items-baseline gap-x-3 border-b py-1.5">
          <Status state={event.state} iconOnly />
          <span className="min-w-0">
            {WORDS[event.event] ?? event.event.replaceAll("_", " ")}
            {event.attempt > 1 && <span className="text-ink-2">, attempt {event.attempt}</span>}
            {detailOf(event) && (
              <span className="block text-xs text-ink-2 wrap-anywhere">{detailOf(event)}</span>
            )}
          </span>
          <span className="text-xs text-ink-2">
            {gap(events[index - 1], event)} <Time at={event.at} />
          </span>
        </li>
      ))}
    </ol>
  );
}

function gap(before: RunEvent | undefined, event: RunEvent): string {
  return before ? `+${duration(Date.parse(event.at) - Date.parse(before.at))},` : "";
}

function detailOf({ detail }: RunEvent): string {
  if (detail === null || detail === undefined) return "";
  if (typeof detail !== "object") return String(detail);
  if ("message" in detail) return String(detail.message);
  return JSON.stringify(detail);
}
