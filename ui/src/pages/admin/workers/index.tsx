import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { runsOptions } from "../../../api/queries/runs";
import { poolsOptions, workersOptions } from "../../../api/queries/workers";
import { ErrorState } from "../../../components/ErrorState";
import { Skeleton } from "../../../components/Skeleton";
import { PoolsPanel } from "./PoolsPanel";
import { QueuePanel } from "./QueuePanel";
import { WorkersPanel } from "./WorkersPanel";

/** Who executes tasks, what is at work, and what waits. */
export function Workers() {
  const workers = useQuery(workersOptions);
  const pools = useQuery(poolsOptions);
  const running = useInfiniteQuery(runsOptions({ state: "running" }));
  const queued = useInfiniteQuery(runsOptions({ state: "queued" }));
  const error = workers.error ?? pools.error;
  if (error && !workers.data) return <ErrorState error={error} onRetry={() => void workers.refetch()} />;
  return (
    <div className="min-h-0 grow overflow-y-auto">
      <div className="grid gap-4 p-4 sm:p-6 xl:grid-cols-2">
        {workers.data ? (
          <WorkersPanel workers={workers.data.items} />
        ) : (
          <Skeleton className="h-40 rounded-lg" />
        )}
        {pools.data ? <PoolsPanel pools={pools.data.items} /> : <Skeleton className="h-40 rounded-lg" />}
        <QueuePanel title="At work" empty="Nothing runs right now." list={running} />
        <QueuePanel title="In the queue" empty="Nothing waits." list={queued} />
      </div>
    </div>
  );
}
