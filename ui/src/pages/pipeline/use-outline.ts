import { queryOptions, useQuery } from "@tanstack/react-query";
import type { Outline } from "../../format/pipeline-outline";

/** What a document says. The parser is loaded with the first one. */
export function useOutline(text: string | undefined): Outline | undefined {
  const { data } = useQuery(outlineOptions(text));
  return data;
}

function outlineOptions(text: string | undefined) {
  return queryOptions({
    queryKey: ["outline", text],
    queryFn: async () => (await import("../../format/pipeline-outline")).outlineOf(text ?? ""),
    enabled: text !== undefined,
    staleTime: Infinity,
    gcTime: 60_000,
    placeholderData: (before: Outline | undefined) => before,
  });
}
