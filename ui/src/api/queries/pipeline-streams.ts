import { useMutation, useQueryClient } from "@tanstack/react-query";
import { answer, api } from "../client";
import { keys } from "../keys";
import { pagedOptions } from "../pages";

/** The streams of a pipeline. The destinations are asked, which may take seconds. */
export function pipelineStreamsOptions(pipeline: string) {
  return pagedOptions(keys.pipelines.part(pipeline, "streams"), (page, signal) =>
    answer(
      api.GET("/api/v1/pipelines/{pipeline}/streams", {
        params: { path: { pipeline }, query: page },
        signal,
      }),
    ),
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
