import type { InfiniteData, UseInfiniteQueryResult } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { Page, Run } from "../../../api/model";
import { Duration } from "../../../components/Duration";
import { Panel } from "../../../components/Panel";
import { Skeleton } from "../../../components/Skeleton";
import { Status } from "../../../components/Status";

interface QueuePanelProps {
  title: string;
  empty: string;
  list: UseInfiniteQueryResult<InfiniteData<Page<Run>>>;
}

/** Open runs, the newest first. */
export function QueuePanel({ title, empty, list }: QueuePanelProps) {
  const runs = list.data?.pages.flatMap((page) => page.items);
  return (
    <Panel title={title} aside={runs && `${runs.length}${list.hasNextPage ? "+" : ""}`}>
      {!runs && <Skeleton className="m-3 h-16" />}
      {runs?.length === 0 && <p className="px-3 py-6 text-center text-ink-2">{empty}</p>}
      {runs && runs.length > 0 && (
        <ul className="max-h-80 divide-y overflow-y-auto">
          {runs.map((run) => (
            <li key={run.id} className="flex items-center gap-3 px-3 py-1.5">
              <Link
                to="/runs/$id"
                params={{ id: String(run.id) }}
                className="min-w-0 grow truncate font-medium hover:underline"
              >
                {run.pipeline} <span className="tabular font-normal text-ink-2">{run.id}</span>
              </Link>
              <span className="text-xs text-ink-2">
                <Duration from={run.started_at ?? run.created_at} to={run.ended_at} />
              </span>
              <Status state={run.state} />
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}
