import { queryOptions } from "@tanstack/react-query";
import { answer, api } from "../client";
import { keys } from "../keys";
import type { QueryAnswer } from "../model";

export interface Query {
  sql: string;
  params: Record<string, QueryValue>;
}

export type QueryValue = string | number | boolean | null;

/** The forms that a whole answer is handed out in. */
export const FILES = { csv: "text/csv", parquet: "application/vnd.apache.parquet" };

/** What queries may take. */
export const queryLimitsOptions = queryOptions({
  queryKey: keys.queryLimits,
  queryFn: ({ signal }) => answer(api.GET("/api/v1/query", { signal })),
  staleTime: Infinity,
});

/** The first rows of an answer. Giving up the signal ends the query. */
export async function runQuery(query: Query, limit: number, signal: AbortSignal): Promise<QueryAnswer> {
  const data = await answer<unknown>(api.POST("/api/v1/query", { body: { ...query, limit }, signal }));
  return data as QueryAnswer;
}

/** The whole answer as a file. */
export async function downloadAnswer(
  query: Query,
  format: keyof typeof FILES,
  signal: AbortSignal,
): Promise<Blob> {
  const headers = { accept: FILES[format] };
  const data = await answer<unknown>(
    api.POST("/api/v1/query", { body: query, headers, parseAs: "blob", signal }),
  );
  return data as Blob;
}
