import { queryOptions } from "@tanstack/react-query";
import { answer, api } from "../client";
import { keys } from "../keys";

/** Pipelines, connections and runs by a part of their names. */
export function searchOptions(text: string) {
  return queryOptions({
    queryKey: keys.search(text),
    queryFn: ({ signal }) => answer(api.GET("/api/v1/search", { params: { query: { q: text } }, signal })),
    enabled: text.length > 0,
    staleTime: 5_000,
  });
}
