import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { allConnectionsOptions } from "../../../api/queries/connections";
import { projectOptions } from "../../../api/queries/documents";
import { poolsOptions } from "../../../api/queries/workers";
import type { JsonSchema } from "../../../components/schema-form/shape";
import { namesIn } from "../../../format/pipeline-outline";
import type { Choices } from "./task-schema";

/** The names that tasks of a pipeline can refer to. */
export function useChoices(own: readonly string[]): Choices {
  const { data: connections } = useQuery(allConnectionsOptions);
  const { data: pools } = useQuery(poolsOptions);
  const { data: project } = useQuery(projectOptions);
  return useMemo(() => {
    const shared = connections?.map((connection) => connection.name) ?? [];
    const document = project?.documents.find((one) => one.pipeline === null || one.pipeline === undefined);
    return {
      connections: [...new Set([...own, ...shared])],
      channels: document ? namesIn(document.text, "channels") : [],
      pools: pools?.items.map((pool) => pool.name) ?? [],
      pipelines: project?.documents.flatMap(({ pipeline }) => pipeline ?? []) ?? [],
    };
  }, [own, connections, pools, project]);
}

/** The schema of pipelines' documents; loaded when it is first needed. */
export function usePipelineSchema(): JsonSchema | undefined {
  const { data } = useQuery({
    queryKey: ["pipeline-schema"],
    queryFn: async () =>
      (await import("../../../../../api/pipeline.schema.json")).default as unknown as JsonSchema,
    staleTime: Infinity,
  });
  return data;
}
