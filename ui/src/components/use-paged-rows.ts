import type { UseInfiniteQueryResult, InfiniteData } from "@tanstack/react-query";
import { useMemo } from "react";
import type { Page } from "../api/model";

/** What a `DataTable` needs of a list that is read page by page. */
export function usePagedRows<T>(query: UseInfiniteQueryResult<InfiniteData<Page<T>>>) {
  const { data, error, refetch, hasNextPage, isFetchingNextPage, fetchNextPage } = query;
  const rows = useMemo(() => data?.pages.flatMap((page) => page.items), [data]);
  return {
    rows,
    error,
    onRetry: () => void refetch(),
    hasMore: hasNextPage,
    isLoadingMore: isFetchingNextPage,
    onMore: fetchNextPage,
  };
}
