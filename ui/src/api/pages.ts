import { infiniteQueryOptions, type QueryKey } from "@tanstack/react-query";
import type { Page } from "./model";

/** Rows of a page of a list: a screen and a half, so that the first page rarely shows its end. */
export const PAGE_ROWS = 100;

/** A list that is read page by page, each after the last row of the one before it. */
export function pagedOptions<T>(
  queryKey: QueryKey,
  read: (page: { after?: string; limit: number }, signal: AbortSignal) => Promise<Page<T>>,
) {
  return infiniteQueryOptions({
    queryKey,
    queryFn: ({ pageParam, signal }) => read({ after: pageParam ?? undefined, limit: PAGE_ROWS }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (last: Page<T>) => last.next ?? null,
  });
}
