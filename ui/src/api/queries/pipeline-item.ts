import { queryOptions, useQuery } from "@tanstack/react-query";
import { answer, api } from "../client";
import { keys } from "../keys";
import type { PipelineItem } from "../model";

/** A pipeline as lists have it: whether it is paused, its next fire, its last run. */
export function pipelineItemOptions(name: string) {
  return queryOptions({
    queryKey: keys.pipelines.part(name, "item"),
    queryFn: async ({ signal }): Promise<PipelineItem | null> => {
      const query = { search: name, limit: 1000 };
      const page = await answer(api.GET("/api/v1/pipelines", { params: { query }, signal }));
      return page.items.find((item) => item.name === name) ?? null;
    },
  });
}

/** The tags of a pipeline, by which people have roles on it. */
export function pipelineTagsOptions(name: string) {
  return { ...pipelineItemOptions(name), select: (item: PipelineItem | null) => item?.tags ?? [] };
}

/** A pipeline as lists have it. */
export function usePipelineItem(name: string) {
  return useQuery(pipelineItemOptions(name));
}
