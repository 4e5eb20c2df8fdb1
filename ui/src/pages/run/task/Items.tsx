import { useInfiniteQuery } from "@tanstack/react-query";
import { Layers } from "lucide-react";
import { useMemo, useState } from "react";
import type { TaskRun } from "../../../api/model";
import { taskItemsOptions } from "../../../api/queries/run-parts";
import { DataTable } from "../../../components/DataTable";
import { Duration } from "../../../components/Duration";
import { EmptyState } from "../../../components/EmptyState";
import { FilterSelect } from "../../../components/FilterSelect";
import { Status } from "../../../components/Status";
import { shownState } from "../../../components/task-graph/model";
import type { Column } from "../../../components/table-columns";
import { usePagedRows } from "../../../components/use-paged-rows";
import { plural } from "../../../format/numbers";
import { sentence } from "../../../format/status";
import { itemName } from "./item-name";

interface ItemsProps {
  run: number;
  task: TaskRun;
  onOpen: (index: number) => void;
}

interface ItemRow {
  index: number;
  run: TaskRun;
}

const STATES = ["failed", "running", "queued", "succeeded", "cancelled", "skipped"];

/** The items of a task, each with its own state and log. */
export function Items({ run, task, onOpen }: ItemsProps) {
  const [state, setState] = useState<string>();
  const paged = usePagedRows(useInfiniteQuery(taskItemsOptions(run, task.task)));
  const rows = useMemo(
    () =>
      paged.rows
        ?.map((item, index) => ({ index, run: item }))
        .filter((row) => !state || row.run.state === state),
    [paged.rows, state],
  );
  const columns = useMemo(() => columnsOf(onOpen), [onOpen]);
  const { items } = task;
  const total = items
    ? items.queued + items.active + items.succeeded + items.failed + items.cancelled + items.skipped
    : null;

  return (
    <div className="flex min-h-0 grow flex-col">
      <div className="flex flex-wrap items-center gap-3 border-b px-4 py-1.5 sm:px-6">
        <FilterSelect
          label="State"
          value={state}
          onValueChange={setState}
          options={STATES.map((value) => ({ value, label: sentence(value) }))}
        />
        {items && total !== null && (
          <span role="status" className="tabular text-xs text-ink-2">
            {plural(total, "item")}: {summary(items)}
          </span>
        )}
      </div>
      <DataTable
        label={`Items of ${task.task}`}
        columns={columns}
        rows={rows}
        rowKey={(row) => String(row.run.id)}
        error={paged.error}
        onRetry={paged.onRetry}
        hasMore={paged.hasMore}
        isLoadingMore={paged.isLoadingMore}
        onMore={paged.onMore}
        onOpen={(row) => onOpen(row.index)}
        rowHeight={32}
        empty={
          <EmptyState icon={Layers} title={state ? "No item is in this state" : "There are no items"}>
            {!state && "The task finds its items when it starts."}
          </EmptyState>
        }
      />
    </div>
  );
}

function columnsOf(onOpen: (index: number) => void): Column<ItemRow>[] {
  return [
    {
      id: "item",
      header: "Item",
      cell: ({ row: { original } }) => (
        <button
          type="button"
          tabIndex={-1}
          onClick={() => onOpen(original.index)}
          className="max-w-full truncate hover:text-accent"
        >
          {itemName(original.run.item, original.index)}
        </button>
      ),
      meta: { width: "minmax(120px, 2fr)" },
    },
    {
      id: "state",
      header: "State",
      cell: ({ row: { original } }) => <Status state={shownState(original.run) ?? original.run.state} />,
      meta: { width: "112px" },
    },
    {
      id: "error",
      header: "Error",
      cell: ({ row: { original } }) => <span className="text-ink-2">{messageIn(original.run.error)}</span>,
      meta: { width: "minmax(0, 3fr)", hideBelow: "sm" },
    },
    {
      id: "took",
      header: "Took",
      cell: ({ row: { original } }) => <Duration from={original.run.started_at} to={original.run.ended_at} />,
      meta: { width: "80px", align: "right" },
    },
  ];
}

function messageIn(error: unknown): string {
  if (typeof error !== "object" || error === null || !("message" in error)) return "";
  return String(error.message);
}

function summary(items: NonNullable<TaskRun["items"]>): string {
  const parts = Object.entries(items).filter(([, count]) => count > 0);
  return parts.map(([state, count]) => `${count} ${state}`).join(", ");
}
