import { queryOptions, useQuery } from "@tanstack/react-query";
import { readPipelines, type PipelineRow } from "../contract";
import { keys } from "../keys";

/** A pipeline as lists have it: whether it is paused, its next fire, its last run. */
export function pipelineItemOptions(name: string) {
  return queryOptions({
    queryKey: keys.pipelines.part(name, "item"),
    queryFn: async ({ signal }): Promise<PipelineRow | null> => {
      const page = await readPipelines({ search: name, limit: 1000 }, signal);
      return page.items.find((item) => item.name === name) ?? null;
    },
  });
}

/** The tags of a pipeline, by which people have roles on it. */
export function pipelineTagsOptions(name: string) {
  return { ...pipelineItemOptions(name), select: (item: PipelineRow | null) => item?.tags ?? [] };
}

/** A pipeline as lists have it. */
export function usePipelineItem(name: string) {
  return useQuery(pipelineItemOptions(name));
}
