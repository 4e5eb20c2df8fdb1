import type { QueryClient } from "@tanstack/react-query";
import { isOver } from "../format/status";
import type { TaskRun } from "./model";
import { keys } from "./keys";
import { live, type LiveEvent } from "./live";
import type { Page } from "./model";

/** Results are read again so often at most; the list of a large run less often. */
const READ_MS = 1_000;
const READ_LARGE_MS = 4_000;
const LARGE = 1_000;

/**
 * Keeps one run with its tasks true while somebody looks at it. States change in place, so that a run with thousands of
 * tasks is not read anew for each of them; what an event does not tell, outputs and errors, is read afterwards.
 */
export function followRunTasks(client: QueryClient, run: number): () => void {
  let timer: ReturnType<typeof setTimeout> | null = null;
  let readAt = 0;
  const tasksKey = keys.runs.part(run, "tasks");
  const readSoon = () => {
    const count = client.getQueryData<Page<TaskRun>>(tasksKey)?.items.length ?? 0;
    const pause = count > LARGE ? READ_LARGE_MS : READ_MS;
    timer ??= setTimeout(
      () => {
        timer = null;
        readAt = Date.now();
        void client.invalidateQueries({ queryKey: keys.runs.one(run) });
      },
      Math.max(80, readAt + pause - Date.now()),
    );
  };
  // many events come at once: they change the list together
  let arrived: Extract<LiveEvent, { kind: "task" }>[] = [];
  let frame: ReturnType<typeof setTimeout> | null = null;
  const apply = () => {
    frame = null;
    const events = arrived;
    arrived = [];
    client.setQueryData<Page<TaskRun>>(tasksKey, (page) => page && withTaskEvents(page, events));
  };
  const end = live.subscribe(`run:${run}`, (event) => {
    if (event.kind === "run") readSoon();
    if (event.kind !== "task") return;
    arrived.push(event);
    frame ??= setTimeout(apply, 50);
    if (isOver(event.event.state) || event.event.event !== "started") readSoon();
  });
  return () => {
    end();
    if (timer) clearTimeout(timer);
    if (frame) clearTimeout(frame);
  };
}

/** Task runs after something happened to some of them. */
export function withTaskEvents(
  page: Page<TaskRun>,
  events: Pick<Extract<LiveEvent, { kind: "task" }>, "event">[],
): Page<TaskRun> {
  const places = new Map(page.items.map((task, index) => [task.id, index]));
  const items = [...page.items];
  for (const { event } of events) {
    const place = places.get(event.task_run ?? -1);
    const task = place === undefined ? undefined : items[place];
    if (place === undefined || !task) continue;
    items[place] = {
      ...task,
      state: event.state,
      attempt: event.attempt,
      started_at: event.event === "claimed" ? event.at : task.started_at,
      ended_at: isOver(event.state) ? event.at : null,
    };
  }
  return { ...page, items };
}
