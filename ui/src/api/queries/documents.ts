import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { answer, api, versioned } from "../client";
import { ApiError, type Mistake } from "../error";
import { keys } from "../keys";
import { pagedOptions } from "../pages";

/** The versions of a pipeline's document, the newest first. */
export function versionsOptions(pipeline: string) {
  return pagedOptions(keys.pipelines.part(pipeline, "versions"), (page, signal) =>
    answer(
      api.GET("/api/v1/pipelines/{pipeline}/versions", {
        params: { path: { pipeline }, query: page },
        signal,
      }),
    ),
  );
}

/** One version of a document; it never changes. */
export function versionOptions(pipeline: string, version: number) {
  return queryOptions({
    queryKey: keys.documentVersion(pipeline, version),
    queryFn: ({ signal }) =>
      answer(
        api.GET("/api/v1/pipelines/{pipeline}/versions/{version}", {
          params: { path: { pipeline, version } },
          signal,
        }),
      ),
    staleTime: Infinity,
  });
}

/** The mistakes of a document, as the server finds them; none if it can be saved. */
export function mistakesOptions(pipeline: string, text: string) {
  return queryOptions({
    queryKey: keys.pipelines.part(pipeline, "mistakes", text),
    queryFn: async ({ signal }): Promise<Mistake[]> => {
      try {
        await api.POST("/api/v1/pipelines/{pipeline}/validate", {
          params: { path: { pipeline } },
          body: { text },
          signal,
        });
        return [];
      } catch (error) {
        // what is wrong with the document is the answer; anything else is a failure
        if (error instanceof ApiError && !error.isPassing && !error.isStranger && error.mistakes.length > 0)
          return error.mistakes;
        throw error;
      }
    },
    staleTime: 60_000,
    gcTime: 60_000,
  });
}

/** Saves a document over the version that it was made from. */
export function useSaveDocument(pipeline: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ text, etag }: { text: string; etag: string | null }) =>
      versioned(
        api.PUT("/api/v1/pipelines/{pipeline}", {
          params: { path: { pipeline }, ...(etag !== null && { header: { "If-Match": etag } }) },
          body: { text },
        }),
      ),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.pipelines.all }),
  });
}

/** Takes a pipeline out of the project. */
export function useDeletePipeline(pipeline: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (etag: string) =>
      answer(
        api.DELETE("/api/v1/pipelines/{pipeline}", {
          params: { path: { pipeline }, header: { "If-Match": etag } },
        }),
      ),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.pipelines.lists }),
  });
}

/** The project's own document: its pools and channels. */
export const projectOptions = queryOptions({
  queryKey: keys.project,
  queryFn: ({ signal }) => answer(api.GET("/api/v1/project", { signal })),
});
