import { useInfiniteQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { ApiError } from "../../../api/error";
import type { components } from "../../../api/schema";
import type { Run } from "../../../api/model";
import { quarantineRowsOptions } from "../../../api/queries/run-parts";
import { Callout } from "../../../components/Callout";
import { DataTable } from "../../../components/DataTable";
import { Dialog } from "../../../components/Dialog";
import { EmptyState } from "../../../components/EmptyState";
import { Select } from "../../../components/Select";
import { CopyButton } from "../../../components/CopyButton";
import type { Column } from "../../../components/table-columns";
import { usePagedRows } from "../../../components/use-paged-rows";
import { useAllowed } from "../../pipeline/use-allowed";
import { ReplayBar } from "./ReplayBar";

type Rejected = components["schemas"]["Rejected"];
type RejectingStream = components["schemas"]["Stream"];
type RowAt = Rejected & { place: number };

interface QuarantineProps {
  run: Run;
  streams: RejectingStream[];
}

/** The rows that could not be loaded, each with its reason. */
export function Quarantine({ run, streams }: QuarantineProps) {
  const [chosen, setChosen] = useState(streams[0]?.stream ?? "");
  const denial = useAllowed(run.pipeline, "editor");
  const stream = streams.find((one) => one.stream === chosen) ?? streams[0];
  if (!stream) return null;
  return (
    <div className="flex min-h-0 grow flex-col">
      <ReplayBar key={`replay ${stream.stream}`} run={run} task={stream.task} stream={stream.stream}>
        {streams.length > 1 && (
          <Select
            aria-label="Stream"
            className="max-w-80"
            value={stream.stream}
            onValueChange={setChosen}
            options={streams.map((one) => ({ value: one.stream, label: one.stream }))}
          />
        )}
      </ReplayBar>
      {denial ? (
        <div className="p-4 sm:px-6">
          <Callout title="Rows hold data, so not everybody may see them">{denial}</Callout>
        </div>
      ) : (
        <RejectedRows key={stream.stream} run={run.id} stream={stream} />
      )}
    </div>
  );
}

function RejectedRows({ run, stream }: { run: number; stream: RejectingStream }) {
  const paged = usePagedRows(useInfiniteQuery(quarantineRowsOptions(run, stream.task, stream.stream)));
  const [open, setOpen] = useState<RowAt | null>(null);
  const rows = useMemo(() => paged.rows?.map((row, place) => ({ ...row, place })), [paged.rows]);
  const error = paged.error instanceof ApiError ? paged.error : null;
  return (
    <>
      <DataTable
        label={`Rejected rows of ${stream.stream}`}
        columns={COLUMNS}
        rows={rows}
        rowKey={(row) => String(row.place)}
        error={error}
        onRetry={paged.onRetry}
        hasMore={paged.hasMore}
        isLoadingMore={paged.isLoadingMore}
        onMore={paged.onMore}
        onOpen={setOpen}
        empty={
          <EmptyState title="No rows are left here">
            They were loaded again, or the destination keeps them no longer.
          </EmptyState>
        }
      />
      <Dialog
        open={open !== null}
        onOpenChange={() => setOpen(null)}
        title="Rejected row"
        description={open?.reason}
        size="medium"
        footer={
          open && <CopyButton text={JSON.stringify(open.row, null, 2)} what="the row as JSON" withWords />
        }
      >
        <dl className="overflow-hidden rounded-lg border">
          {Object.entries(open?.row ?? {}).map(([column, value]) => (
            <div
              key={column}
              className={`grid gap-x-4 border-b px-3 py-1.5 last:border-b-0 sm:grid-cols-[160px_1fr] ${column === open?.column ? "bg-fail-soft" : ""}`}
            >
              <dt className="font-mono text-xs/[18px] text-ink-2 wrap-anywhere">
                {column}
                {column === open?.column && (
                  <span className="ml-1 font-sans font-medium text-fail">at fault</span>
                )}
              </dt>
              <dd className="font-mono text-xs/[18px] wrap-anywhere whitespace-pre-wrap">
                {value === null ? <span className="text-ink-3">NULL</span> : String(value)}
              </dd>
            </div>
          ))}
        </dl>
      </Dialog>
    </>
  );
}

const COLUMNS: Column<RowAt>[] = [
  {
    id: "column",
    header: "Column",
    cell: ({ row: { original } }) => (
      <span className="font-mono text-xs">{original.column ?? "the row"}</span>
    ),
    meta: { width: "minmax(80px, 140px)" },
  },
  {
    id: "reason",
    header: "Reason",
    cell: ({ row: { original } }) => original.reason,
    meta: { width: "minmax(0, 3fr)" },
  },
  {
    id: "row",
    header: "Row",
    cell: ({ row: { original } }) => (
      <span className="font-mono text-xs text-ink-2">
        {Object.values(original.row)
          .map((value) => (value === null ? "NULL" : String(value)))
          .join(" | ")}
      </span>
    ),
    meta: { width: "minmax(0, 2fr)", hideBelow: "sm" },
  },
];
