import { useQueryClient, type InfiniteData } from "@tanstack/react-query";
import { useEffect, useEffectEvent } from "react";
import { isOver } from "../format/status";
import { keys } from "./keys";
import { live, type LiveEvent } from "./live";
import type { Page, Run } from "./model";

type TaskEvent = Extract<LiveEvent, { kind: "task" }>;

/** Runs that are followed task by task; others change when they end. */
const FOLLOWED_MAX = 20;

/** Keeps the tasks of the runs of a pipeline true that have not ended, as long as they are shown. */
export function useLiveGrid(pipeline: string, runs: readonly Run[]): void {
  const client = useQueryClient();
  const open = runs.filter((run) => !isOver(run.state)).slice(0, FOLLOWED_MAX);
  const topics = open.map((run) => `run:${run.id}` as const).join(" ");
  const hear = useEffectEvent((event: LiveEvent) => {
    if (event.kind !== "task") return;
    client.setQueryData<InfiniteData<Page<Run>>>(
      keys.pipelines.part(pipeline, "runs", "tasks"),
      (list) => list && { ...list, pages: list.pages.map((page) => withTaskState(page, event)) },
    );
  });
  useEffect(() => {
    const ends = topics
      ? topics.split(" ").map((topic) => live.subscribe(topic as `run:${number}`, hear))
      : [];
    return () => ends.forEach((end) => end());
  }, [topics]);
}

/** A page of runs after something happened to a task of one of them. */
export function withTaskState(page: Page<Run>, { run, event }: Pick<TaskEvent, "run" | "event">): Page<Run> {
  const isMeant = (one: Run) => one.id === run && one.tasks?.some((task) => task.id === event.task_run);
  if (!page.items.some(isMeant)) return page;
  const items = page.items.map((one) =>
    isMeant(one)
      ? {
          ...one,
          tasks: one.tasks?.map((task) =>
            task.id === event.task_run
              ? {
                  ...task,
                  state: event.state,
                  started_at: event.event === "claimed" ? event.at : task.started_at,
                  ended_at: isOver(event.state) ? event.at : null,
                }
              : task,
          ),
        }
      : one,
  );
  return { ...page, items } as Page<Run>;
}
