import { queryOptions } from "@tanstack/react-query";
import { answer, api } from "../client";
import { keys } from "../keys";
import type { LogOf, LogPage, LogRange, RecentFilter } from "../model-logs";

/** Lines of a log. Long lines make fewer of them than asked for; with a filter a page can be empty before the end. */
export function readLog(log: LogOf, range: LogRange, signal: AbortSignal): Promise<LogPage> {
  const { run, ...which } = log;
  return answer(
    api.GET("/api/v1/runs/{run}/logs", {
      params: { path: { run }, query: { ...which, ...range } },
      signal,
    }),
  );
}

/** Where a whole log can be taken away. */
export function logAddress({ run, task, item, attempt }: LogOf): string {
  const query = new URLSearchParams({ task });
  if (item !== undefined) query.set("item", String(item));
  if (attempt !== undefined) query.set("attempt", String(attempt));
  return `/api/v1/runs/${run}/logs/download?${query}`;
}

/** Of more lines nobody reads the end; a filter finds what is meant. */
const RECENT_MAX = 500;

/** The newest lines of all logs, the newest first. */
export function recentLinesOptions(filter: RecentFilter, limit = RECENT_MAX) {
  return queryOptions({
    queryKey: keys.recentLines({ ...filter, limit }),
    queryFn: ({ signal }) =>
      answer(api.GET("/api/v1/logs/recent", { params: { query: { ...filter, limit } }, signal })),
    // no event tells of lines that nobody listens to
    staleTime: 0,
  });
}
