import { useMutation, useQueryClient } from "@tanstack/react-query";
import { answer, api } from "../client";
import { keys } from "../keys";
import type { Page } from "../model";
import { pagedOptions } from "../pages";

/** A stream of a pipeline, with what its destination remembers of it. */
export interface PipelineStream {
  task: string;
  stream: string;
  from: string;
  to: string;
  read: "full" | "incremental";
  write: "replace" | "append" | "merge";
  cursor?: string | null;
  target?: string | null;
  position?: unknown;
  load?: string | null;
  rows_written?: number | null;
  rows_rejected?: number | null;
  committed_at?: string | null;
  age_seconds?: number | null;
  lag_seconds?: number | null;
  error?: string | null;
}

/** The streams of a pipeline. The destinations are asked, which may take seconds. */
export function pipelineStreamsOptions(pipeline: string) {
  return pagedOptions(
    keys.pipelines.part(pipeline, "streams"),
    (page, signal) =>
      answer(
        api.GET(
          "/api/v1/pipelines/{pipeline}/streams" as never,
          { params: { path: { pipeline }, query: page }, signal } as never,
        ),
      ) as Promise<Page<PipelineStream>>,
  );
}

/** Forgets how far a stream was read: the next run reads it from the start. */
export function useResetStream(pipeline: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: { task: string; stream: string }) =>
      answer(
        api.POST("/api/v1/pipelines/{pipeline}/positions/reset", { params: { path: { pipeline } }, body }),
      ),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.pipelines.part(pipeline, "streams") }),
  });
}
