import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { answer, api, idempotencyKey } from "../client";
import { keys } from "../keys";

/** The schedules of a pipeline. */
export function schedulesOptions(pipeline: string) {
  return queryOptions({
    queryKey: keys.pipelines.part(pipeline, "schedules"),
    queryFn: ({ signal }) =>
      answer(api.GET("/api/v1/schedules", { params: { query: { pipeline, limit: 1000 } }, signal })),
  });
}

/** The next fires of a schedule by time. */
export function firesOptions(pipeline: string, schedule: string) {
  return queryOptions({
    queryKey: keys.pipelines.part(pipeline, "schedules", schedule, "fires"),
    queryFn: ({ signal }) =>
      answer(
        api.GET("/api/v1/pipelines/{pipeline}/schedules/{schedule}/preview", {
          params: { path: { pipeline, schedule }, query: { count: 5 } },
          signal,
        }),
      ),
    staleTime: 0,
  });
}

/** Pauses one schedule, or lets it go on. */
export function usePauseSchedule(pipeline: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ schedule, paused }: { schedule: string; paused: boolean }) => {
      const params = { path: { pipeline, schedule } };
      return paused
        ? answer(api.POST("/api/v1/pipelines/{pipeline}/schedules/{schedule}/pause", { params }))
        : answer(api.POST("/api/v1/pipelines/{pipeline}/schedules/{schedule}/resume", { params }));
    },
    onSettled: () => client.invalidateQueries({ queryKey: keys.pipelines.all }),
  });
}

export interface BackfillOf {
  from: string;
  to: string;
  every?: "hour" | "day" | "week" | "month";
  only: "all" | "missing" | "failed";
  reverse: boolean;
  concurrency?: number;
  params: Record<string, unknown>;
}

/** Which runs a backfill would have; nothing is made. */
export function backfillPlanOptions(pipeline: string, backfill: BackfillOf) {
  return queryOptions({
    queryKey: keys.pipelines.part(pipeline, "backfill-plan", backfill),
    queryFn: ({ signal }) =>
      answer(
        api.POST("/api/v1/pipelines/{pipeline}/backfills", {
          params: { path: { pipeline } },
          body: { ...backfill, dry_run: true },
          signal,
        }),
      ),
    retry: false,
  });
}

/** Makes a backfill. */
export function useMakeBackfill(pipeline: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (backfill: BackfillOf) =>
      answer(
        api.POST("/api/v1/pipelines/{pipeline}/backfills", {
          params: { path: { pipeline }, header: idempotencyKey() },
          body: { ...backfill, dry_run: false },
        }),
      ),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.pipelines.part(pipeline, "runs") }),
  });
}
