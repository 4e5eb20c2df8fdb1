import { answer, api } from "../client";
import type { LogLine } from "../live";

/** Which log: of a task or an item of it, and of which attempt; the last one unless given. */
export interface LogOf {
  run: number;
  task: string;
  item?: number | undefined;
  attempt?: number | undefined;
}

export interface LogPage {
  attempt: number;
  /** How many lines the log has; null if lines from one on were asked for. */
  total?: number | null | undefined;
  lines: LogLine[];
}

/** Lines of a log from one on; the last ones unless given. Long lines make fewer of them. */
export function readLog(
  log: LogOf,
  from: number | undefined,
  limit: number,
  signal?: AbortSignal,
): Promise<LogPage> {
  const { run, ...which } = log;
  return answer(
    api.GET("/api/v1/runs/{run}/logs", {
      params: { path: { run }, query: { ...which, ...(from !== undefined && { from }), limit } },
      ...(signal && { signal }),
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

/** The whole log as it comes, for searching it without keeping it. */
export async function streamLog(log: LogOf, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
  const { run, ...which } = log;
  const stream = await answer(
    api.GET("/api/v1/runs/{run}/logs/download", {
      params: { path: { run }, query: which },
      parseAs: "stream",
      signal,
    }),
  );
  return stream as unknown as ReadableStream<Uint8Array>;
}
