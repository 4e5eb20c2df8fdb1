import { useInfiniteQuery } from "@tanstack/react-query";
import { ListTree } from "lucide-react";
import { useMemo } from "react";
import { pipelineGridOptions } from "../../../api/queries/run-parts";
import { useLiveGrid } from "../../../api/use-live-grid";
import { EmptyState } from "../../../components/EmptyState";
import { ErrorState } from "../../../components/ErrorState";
import { SkeletonRows } from "../../../components/SkeletonRows";
import { RunGrid } from "./RunGrid";

/** The runs of a pipeline, task by task: what failed when, and what became slow. */
export default function RunsTab({ pipeline }: { pipeline: string }) {
  const { data, error, refetch, hasNextPage, isFetchingNextPage, fetchNextPage } = useInfiniteQuery(
    pipelineGridOptions(pipeline),
  );
  const runs = useMemo(() => data?.pages.flatMap((page) => page.items) ?? [], [data]);
  useLiveGrid(pipeline, runs);
  if (error && !data) return <ErrorState error={error} onRetry={() => void refetch()} />;
  if (!data) return <SkeletonRows />;
  if (runs.length === 0)
    return (
      <EmptyState icon={ListTree} title="It has not run yet">
        Run it now, or wait for its schedule.
      </EmptyState>
    );
  return (
    <RunGrid
      runs={runs}
      hasMore={hasNextPage}
      isLoadingMore={isFetchingNextPage}
      onMore={() => void fetchNextPage()}
    />
  );
}
