import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { answer, api, idempotencyKey } from "../client";
import { keys } from "../keys";

/** A plan asks other systems: the same document is not asked for again at once. */
const PLAN_MS = 60_000;

/** Whether a document that is not saved fits into the project; fails with every mistake. */
export function validateOptions(name: string, text: string) {
  return queryOptions({
    queryKey: keys.pipelines.draft("validate", name, text),
    queryFn: async ({ signal }) => {
      const params = { path: { pipeline: name } };
      await api.POST("/api/v1/pipelines/{pipeline}/validate", { params, body: { text }, signal });
      return true;
    },
    retry: false,
    staleTime: PLAN_MS,
  });
}

/** What a run of a document that is not saved would do. */
export function planOptions(name: string, text: string) {
  return queryOptions({
    queryKey: keys.pipelines.draft("plan", name, text),
    queryFn: ({ signal }) => {
      const params = { path: { pipeline: name } };
      const body = { text, params: {}, tasks: [], full_refresh: false };
      return answer(api.POST("/api/v1/pipelines/{pipeline}/plan", { params, body, signal }));
    },
    retry: false,
    staleTime: PLAN_MS,
  });
}

/** When a schedule that is not saved would fire next. */
export function firesOptions(schedule: unknown) {
  return queryOptions({
    queryKey: keys.pipelines.draft("fires", schedule),
    queryFn: ({ signal }) => answer(api.POST("/api/v1/schedules/preview", { body: { schedule }, signal })),
    retry: false,
    staleTime: 10_000,
  });
}

/** The streams that a pattern stands for now, as the other system finds them. */
export function matchingOptions(connection: string, pattern: string) {
  return queryOptions({
    queryKey: keys.contents(connection, "matching", pattern),
    queryFn: async ({ signal }) => {
      const params = { path: { connection }, query: { stream: pattern, limit: 1000 } };
      return (await answer(api.GET("/api/v1/connections/{connection}/streams", { params, signal }))).items;
    },
    staleTime: PLAN_MS,
  });
}

/** Makes a new pipeline, and starts it if asked to; answers the run that was started. */
export function useMakePipeline() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async ({ name, text, isRun }: { name: string; text: string; isRun: boolean }) => {
      const path = { pipeline: name };
      await answer(api.PUT("/api/v1/pipelines/{pipeline}", { params: { path }, body: { text } }));
      if (!isRun) return { run: null, problem: null };
      try {
        const params = { path, header: idempotencyKey() };
        const run = await answer(
          api.POST("/api/v1/pipelines/{pipeline}/runs", { params, body: { params: {}, tasks: [] } }),
        );
        return { run, problem: null };
      } catch (problem) {
        // the pipeline is there, though its run is not
        return { run: null, problem };
      }
    },
    onSuccess: () => client.invalidateQueries({ queryKey: keys.pipelines.all }),
  });
}

/** The names of all pipelines, for choosing one of them. */
export const allPipelineNamesOptions = queryOptions({
  queryKey: keys.pipelines.list({ names: true }),
  queryFn: async ({ signal }) => {
    const names: string[] = [];
    let after: string | null | undefined;
    do {
      const query = { limit: 1000, ...(after ? { after } : {}) };
      const page = await answer(api.GET("/api/v1/pipelines", { params: { query }, signal }));
      names.push(...page.items.map((item) => item.name));
      after = page.next;
    } while (after);
    return names;
  },
});
