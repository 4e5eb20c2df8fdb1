import { useQuery } from "@tanstack/react-query";
import type { Role } from "../../api/model";
import { pipelineTagsOptions } from "../../api/queries/pipeline-item";
import { useDenial } from "../../api/roles";

/** Why whoever uses this browser may not do something with a pipeline; undefined if they may. */
export function useAllowed(pipeline: string, role: Role): string | undefined {
  const { data } = useQuery(pipelineTagsOptions(pipeline));
  return useDenial(role, data);
}
