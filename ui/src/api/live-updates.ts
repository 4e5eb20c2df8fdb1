import type { InfiniteData, QueryClient, QueryKey } from "@tanstack/react-query";
import { isOver } from "../format/status";
import { keys } from "./keys";
import { live, type LiveEvent } from "./live";
import type { Page, Run, RunState } from "./model";

/** A first change shows almost at once; a storm of them reads a list once a second and no more. */
const FIRST_MS = 80;
const NEXT_MS = 1_000;

/** Keeps what is shown true: events change what is cached, or have it read again. Answers how to end it. */
export function followEvents(client: QueryClient): () => void {
  const refresh = throttled((queryKeys) => {
    for (const queryKey of queryKeys) void client.invalidateQueries({ queryKey });
  });
  const listen = (event: LiveEvent) => apply(client, refresh, event);
  live.onBehind = () => void client.invalidateQueries();
  live.onStranger = () => client.setQueryData(keys.session, null);
  const ends = (["runs", "pipelines", "workers", "changes"] as const).map((topic) =>
    live.subscribe(topic, listen),
  );
  const wake = () => live.wake();
  window.addEventListener("online", wake);
  document.addEventListener("visibilitychange", wake);
  return () => {
    window.removeEventListener("online", wake);
    document.removeEventListener("visibilitychange", wake);
    ends.forEach((end) => end());
    live.close();
  };
}

function apply(client: QueryClient, refresh: (key: QueryKey) => void, event: LiveEvent): void {
  switch (event.kind) {
    case "run":
      // the lists change in place, and get no new rows: those announce themselves
      client.setQueriesData<InfiniteData<Page<Run>>>({ queryKey: keys.runs.lists }, (list) =>
        list ? { ...list, pages: list.pages.map((page) => withEvent(page, event)) } : list,
      );
      refresh(keys.runs.one(event.run));
      refresh(keys.overview);
      refresh(keys.pipelines.lists);
      refresh(keys.pipelines.part(event.pipeline, "runs"));
      refresh(keys.pipelines.part(event.pipeline, "item"));
      if (!isOver(event.event.state)) break;
      refresh(keys.pipelines.part(event.pipeline, "streams"));
      // a run that has ended may have loaded any of them
      refresh(keys.datasets.all);
      break;
    case "pipelines":
      refresh(keys.overview);
      refresh(event.documents ? keys.pipelines.all : keys.pipelines.lists);
      if (!event.documents) break;
      refresh(keys.connections.all);
      refresh(keys.data("served"));
      refresh(keys.openapi);
      break;
    case "workers":
      refresh(keys.workers);
      refresh(keys.overview);
      break;
    case "changes":
      // what has no event of its own; only what is shown is read
      refresh(keys.connections.all);
      refresh(keys.datasets.all);
      for (const noun of ["users", "tokens", "secrets", "sessions"]) refresh(keys.admin(noun));
      break;
    default:
  }
}

/** A page of runs after something happened to one of them. */
export function withEvent(page: Page<Run>, told: Extract<LiveEvent, { kind: "run" }>): Page<Run> {
  if (!page.items.some((run) => run.id === told.run)) return page;
  return { ...page, items: page.items.map((run) => (run.id === told.run ? changed(run, told.event) : run)) };
}

function changed(run: Run, { state, at }: { state: string; at: string }): Run {
  return {
    ...run,
    state: state as RunState,
    started_at: run.started_at ?? (state === "running" ? at : run.started_at),
    ended_at: isOver(state) ? at : null,
  };
}

/** Collects keys, and hands them on soon, but not more often than once a second. */
function throttled(flush: (keys: QueryKey[]) => void): (key: QueryKey) => void {
  const waiting = new Map<string, QueryKey>();
  let timer: ReturnType<typeof setTimeout> | null = null;
  let flushedAt = 0;
  return (key) => {
    waiting.set(JSON.stringify(key), key);
    timer ??= setTimeout(
      () => {
        timer = null;
        flushedAt = Date.now();
        const due = [...waiting.values()];
        waiting.clear();
        flush(due);
      },
      Math.max(FIRST_MS, flushedAt + NEXT_MS - Date.now()),
    );
  };
}
