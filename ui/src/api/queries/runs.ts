import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { answer, api, idempotencyKey } from "../client";
import { keys } from "../keys";
import type { Cause, Run, RunState } from "../model";
import { pagedOptions } from "../pages";

/** Of more new runs it does not matter how many there are. */
const NEWEST_MAX = 100;

export interface RunFilter {
  pipeline?: string;
  state?: RunState;
  cause?: Cause;
  since?: string;
  until?: string;
  backfill?: number;
  /** A part of the pipeline's name, or the number of a run. */
  search?: string;
  sort?: "created" | "-created";
}

export function runsOptions(filter: RunFilter) {
  return pagedOptions(keys.runs.list(filter), (page, signal) =>
    answer(api.GET("/api/v1/runs", { params: { query: { ...filter, ...page } }, signal })),
  );
}

/** The newest runs of a list, without keeping them. */
export async function newestRuns(filter: RunFilter, signal: AbortSignal): Promise<Run[]> {
  const query = { ...filter, limit: NEWEST_MAX };
  return (await answer(api.GET("/api/v1/runs", { params: { query }, signal }))).items;
}

export function runOptions(id: number) {
  return queryOptions({
    queryKey: keys.runs.one(id),
    queryFn: ({ signal }) => answer(api.GET("/api/v1/runs/{run}", { params: { path: { run: id } }, signal })),
  });
}

export function runTasksOptions(id: number) {
  return queryOptions({
    queryKey: keys.runs.part(id, "tasks"),
    queryFn: ({ signal }) =>
      answer(api.GET("/api/v1/runs/{run}/tasks", { params: { path: { run: id } }, signal })),
    // runs come and go, and some have thousands of tasks: those that nobody looks at are forgotten soon
    gcTime: 60_000,
  });
}

export interface StartRun {
  pipeline: string;
  params?: Record<string, unknown>;
  tasks?: string[];
}

export function useStartRun() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ pipeline, ...body }: StartRun) =>
      answer(
        api.POST("/api/v1/pipelines/{pipeline}/runs", {
          params: { path: { pipeline }, header: idempotencyKey() },
          body,
        }),
      ),
    onSuccess: (run) => client.setQueryData(keys.runs.one(run.id), run),
  });
}

export function useCancelRun() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (run: number) => answer(api.POST("/api/v1/runs/{run}/cancel", { params: { path: { run } } })),
    onSuccess: ({ run }) => client.setQueryData(keys.runs.one(run.id), run),
  });
}

export interface RetryRun {
  run: number;
  all?: boolean;
  tasks?: string[];
  newest?: boolean;
  params?: Record<string, unknown>;
}

export function useRetryRun() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ run, ...body }: RetryRun) =>
      answer(
        api.POST("/api/v1/runs/{run}/retry", { params: { path: { run }, header: idempotencyKey() }, body }),
      ),
    onSuccess: (run) => client.setQueryData(keys.runs.one(run.id), run),
  });
}
