import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { answer, api, versioned } from "../client";
import type { RunState } from "../model";
import { keys } from "../keys";
import { pagedOptions } from "../pages";

export interface PipelineFilter {
  search?: string;
  tag?: string;
  owner?: string;
  state?: "active" | "paused";
  last?: RunState;
  sort?: `${"" | "-"}${"name" | "last_run" | "next_fire"}`;
}

export function pipelinesOptions(filter: PipelineFilter) {
  return pagedOptions(keys.pipelines.list(filter), (page, signal) =>
    answer(api.GET("/api/v1/pipelines", { params: { query: { ...filter, ...page } }, signal })),
  );
}

/** A pipeline's document with its version. */
export function pipelineOptions(name: string) {
  return queryOptions({
    queryKey: keys.pipelines.one(name),
    queryFn: ({ signal }) =>
      versioned(api.GET("/api/v1/pipelines/{pipeline}", { params: { path: { pipeline: name } }, signal })),
  });
}

/** Pauses a pipeline, or lets it go on. */
export function usePausePipeline() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ pipeline, paused }: { pipeline: string; paused: boolean }) => {
      const params = { path: { pipeline } };
      return paused
        ? answer(api.POST("/api/v1/pipelines/{pipeline}/pause", { params }))
        : answer(api.POST("/api/v1/pipelines/{pipeline}/resume", { params }));
    },
    onSettled: () => client.invalidateQueries({ queryKey: keys.pipelines.all }),
  });
}
