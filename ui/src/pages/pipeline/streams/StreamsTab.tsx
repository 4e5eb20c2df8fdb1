import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { ArrowRight, Layers, Pause, Play, RotateCcw } from "lucide-react";
import { useMemo, useState } from "react";
import { messageOf } from "../../../api/error";
import type { StreamItem } from "../../../api/model";
import { pipelineStreamsOptions, useResetStream } from "../../../api/queries/pipeline-streams";
import { useStartRun } from "../../../api/queries/runs";
import { Callout } from "../../../components/Callout";
import { ConfirmDialog } from "../../../components/ConfirmDialog";
import { CopyButton } from "../../../components/CopyButton";
import { Count } from "../../../components/Count";
import { DataTable } from "../../../components/DataTable";
import { EmptyState } from "../../../components/EmptyState";
import { FilterBar } from "../../../components/FilterBar";
import { IconButton } from "../../../components/IconButton";
import { SearchInput } from "../../../components/SearchInput";
import { Status } from "../../../components/Status";
import type { Column } from "../../../components/table-columns";
import { Time } from "../../../components/Time";
import { toast } from "../../../components/toasts";
import { breakpoint, useWidth } from "../../../components/use-breakpoint";
import { usePagedRows } from "../../../components/use-paged-rows";
import { useUrlFilters } from "../../../components/use-url-filters";
import { useAllowed } from "../use-allowed";
import type { Draft } from "../use-draft";
import { lagText } from "./lag-text";
import { canPause, withPaused } from "./pause";
import { positionText } from "./position-text";

interface StreamsTabProps {
  pipeline: string;
  draft: Draft;
}

/** The streams of a pipeline: how each is loaded, how far it came, and how far it is behind. */
export default function StreamsTab({ pipeline, draft }: StreamsTabProps) {
  const [search, setSearch] = useUrlFilters<"q" | "sort">();
  const [resetting, setResetting] = useState<StreamItem | null>(null);
  const denial = useAllowed(pipeline, "editor");
  const isNarrow = useWidth() < breakpoint("md");
  const reset = useResetStream(pipeline);
  const start = useStartRun();
  const navigate = useNavigate();
  const paged = usePagedRows(useInfiniteQuery(pipelineStreamsOptions(pipeline)));
  const rows = useMemo(() => {
    const text = search.q?.toLowerCase();
    return paged.rows?.filter(
      (row) => !text || `${row.task} ${row.stream} ${row.target ?? ""}`.toLowerCase().includes(text),
    );
  }, [paged.rows, search.q]);
  const columns = useMemo(
    () =>
      columnsOf({
        denial,
        onReset: setResetting,
        whyNoPause: ({ task }) =>
          canPause(draft.text, task) ? undefined : "The result of a query is loaded as a whole.",
        onPause: ({ task, stream, paused }) => draft.change(withPaused(draft.text, task, stream, !paused)),
        isNarrow,
      }),
    [denial, draft, isNarrow],
  );
  const runNow = ({ task }: StreamItem) =>
    start.mutate(
      { pipeline, tasks: [task] },
      {
        onSuccess: (run) => void navigate({ to: "/runs/$id", params: { id: String(run.id) } }),
        onError: (error) => toast(messageOf(error), { tone: "fail" }),
      },
    );
  const problems = [
    ...new Set(paged.rows?.flatMap((row) => (row.error ? [`${row.to}: ${row.error}`] : [])) ?? []),
  ];

  return (
    <div className="flex min-h-96 grow flex-col lg:min-h-0">
      <FilterBar>
        <SearchInput
          label="Search streams"
          value={search.q ?? ""}
          onValueChange={(q) => setSearch({ q })}
          className="w-64 max-w-full"
        />
        <span className="text-xs text-ink-2">
          {rows === undefined && "The destinations are asked; that may take some seconds."}
        </span>
        <span className="ml-auto">
          <CopyButton text={`levada positions show ${pipeline}`} what="the command" withWords />
        </span>
      </FilterBar>
      {problems.length > 0 && (
        <div className="px-4 pt-3 sm:px-6">
          <Callout tone="warn" title="Not every destination could be asked">
            {problems.join("\n")}
          </Callout>
        </div>
      )}
      <DataTable
        label="Streams"
        columns={columns}
        rows={rows}
        rowKey={(row) => `${row.task} ${row.stream}`}
        error={paged.error}
        onRetry={paged.onRetry}
        hasMore={paged.hasMore}
        isLoadingMore={paged.isLoadingMore}
        onMore={paged.onMore}
        sort={search.sort}
        onSortChange={(sort) => setSearch({ sort })}
        rowHeight={isNarrow ? 60 : 44}
        empty={
          <EmptyState
            icon={Layers}
            title={search.q ? "No stream is called like this" : "This pipeline loads no streams"}
          >
            {!search.q && "Streams are what syncs load; its tasks do other things."}
          </EmptyState>
        }
      />
      <ConfirmDialog
        open={resetting !== null}
        onOpenChange={() => setResetting(null)}
        title={`Reset the stream ${resetting?.stream ?? ""}?`}
        action="Reset it"
        {...(resetting?.write === "append" && { typeName: resetting.stream })}
        onConfirm={async () => {
          if (!resetting) return;
          await reset.mutateAsync({ task: resetting.task, stream: resetting.stream });
          toast(`The next run reads ${resetting.stream} from the start.`, {
            tone: "ok",
            action: { label: "Run now", run: () => runNow(resetting) },
          });
        }}
      >
        <p>
          {resetting?.to} forgets how far {resetting?.stream} was read, and the next run reads it from the
          start.
          {resetting?.write === "append"
            ? " It appends: empty its target first, or the next run is refused, because every row would be there twice."
            : " Rows that are there are replaced or updated, none is there twice."}
        </p>
      </ConfirmDialog>
    </div>
  );
}

function positionTitle(position: unknown): string | undefined {
  return typeof position === "object" && position !== null ? JSON.stringify(position) : undefined;
}

function Lag({ stream: { lag_seconds: lag, age_seconds: age } }: { stream: StreamItem }) {
  if (lag === null || lag === undefined) return null;
  return (
    <span className="tabular whitespace-normal" title="How far the position is behind now">
      {lagText(lag, age)}
    </span>
  );
}

/** How far a stream came, in a line: where there is no room for columns of it. */
function Progress({ stream }: { stream: StreamItem }) {
  const position = positionText(stream.position);
  const hasLag = stream.lag_seconds !== null && stream.lag_seconds !== undefined;
  return (
    <span className="truncate text-xs text-ink-2">
      {position ? (
        <span className="font-mono" title={positionTitle(stream.position)}>
          {position}
        </span>
      ) : (
        <Time at={stream.committed_at} none="never loaded" />
      )}
      {hasLag && (
        <>
          , <Lag stream={stream} />
        </>
      )}
    </span>
  );
}

interface ColumnsOptions {
  denial: string | undefined;
  onReset: (stream: StreamItem) => void;
  onPause: (stream: StreamItem) => void;
  /** Why a stream cannot be paused. */
  whyNoPause: (stream: StreamItem) => string | undefined;
  /** There is no room for columns of the position and the lag. */
  isNarrow: boolean;
}

function columnsOf({ denial, onReset, onPause, whyNoPause, isNarrow }: ColumnsOptions): Column<StreamItem>[] {
  return [
    {
      id: "stream",
      header: "Stream",
      accessorFn: (row) => row.stream,
      cell: ({ row: { original } }) => (
        <span className="flex flex-col leading-4">
          <span className="flex items-center gap-2">
            <span className="truncate font-medium" title={original.stream}>
              {original.stream}
            </span>
            {original.paused && <Status state="paused" />}
          </span>
          <span className="truncate text-xs text-ink-2">
            {original.from} <ArrowRight className="inline size-3" aria-label="to" /> {original.to}
            {original.target && `, ${original.target}`}
          </span>
          {isNarrow && <Progress stream={original} />}
        </span>
      ),
      meta: { width: "minmax(150px, 3fr)" },
    },
    {
      id: "task",
      header: "Task",
      accessorFn: (row) => row.task,
      meta: { width: "minmax(80px, 1fr)", hideBelow: "lg" },
    },
    {
      id: "mode",
      header: "Mode",
      accessorFn: (row) => `${row.read} ${row.write}`,
      cell: ({ row: { original } }) => (
        <span className="flex flex-col leading-4">
          <span>
            {original.read}, {original.write}
          </span>
          {original.cursor && <span className="text-xs text-ink-2">by {original.cursor}</span>}
        </span>
      ),
      meta: { width: "156px", hideBelow: "sm" },
    },
    {
      id: "position",
      header: "Position",
      cell: ({ row: { original } }) => (
        <span className="font-mono text-xs" title={positionTitle(original.position)}>
          {positionText(original.position)}
        </span>
      ),
      meta: { width: "minmax(100px, 2fr)", hideBelow: "md" },
    },
    {
      id: "rows",
      header: "Rows",
      accessorFn: (row) => row.rows_written ?? -1,
      cell: ({ row: { original } }) => (
        <span className="flex flex-col leading-4">
          <Count value={original.rows_written} />
          {(original.rows_rejected ?? 0) > 0 && (
            <span className="text-xs text-warn">
              <Count value={original.rows_rejected} /> rejected
            </span>
          )}
        </span>
      ),
      meta: { width: "96px", align: "right" },
    },
    {
      id: "loaded",
      header: "Last load",
      accessorFn: (row) => row.committed_at ?? "",
      cell: ({ row: { original } }) => <Time at={original.committed_at} none="never" />,
      meta: { width: "92px", align: "right", hideBelow: "sm" },
    },
    {
      id: "lag",
      header: "Lag",
      accessorFn: (row) => row.lag_seconds ?? -1,
      cell: ({ row: { original } }) => <Lag stream={original} />,
      meta: { width: "112px", align: "right", hideBelow: "md" },
    },
    {
      id: "reset",
      header: () => <span className="sr-only">Actions</span>,
      cell: ({ row: { original } }) => (
        <span className="flex justify-end gap-1">
          <IconButton
            icon={original.paused ? Play : Pause}
            label={`${original.paused ? "Let go on" : "Pause"} ${original.stream}`}
            size="small"
            reason={denial ?? whyNoPause(original)}
            onClick={() => onPause(original)}
          />
          <IconButton
            icon={RotateCcw}
            label={`Reset ${original.stream}`}
            size="small"
            reason={denial ?? (original.load ? undefined : "It was never loaded.")}
            onClick={() => onReset(original)}
          />
        </span>
      ),
      meta: { width: "60px", align: "right" },
    },
  ];
}
