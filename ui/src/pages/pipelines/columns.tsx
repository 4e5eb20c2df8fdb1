import { Link } from "@tanstack/react-router";
import type { PipelineItem } from "../../api/model";
import { RunBars } from "../../components/RunBars";
import { Status } from "../../components/Status";
import type { Column } from "../../components/table-columns";
import { Time } from "../../components/Time";
import { percent } from "../../format/numbers";
import { FlowCell } from "./FlowCell";
import { NameCell } from "./NameCell";
import { RowActions } from "./RowActions";
import { ScheduleCell } from "./ScheduleCell";

/** The columns of the list; narrow windows show the name and what can be done. */
export const COLUMNS: Column<PipelineItem>[] = [
  {
    id: "name",
    header: "Pipeline",
    enableSorting: true,
    accessorFn: (row) => row.name,
    cell: ({ row }) => <NameCell pipeline={row.original} />,
    meta: { width: "minmax(0, 1.6fr)" },
  },
  {
    id: "flow",
    header: "From, to",
    cell: ({ row }) => <FlowCell flows={row.original.flows} />,
    meta: { width: "minmax(0, 1.6fr)", hideBelow: "lg" },
  },
  {
    id: "schedule",
    header: "Schedule",
    cell: ({ row }) => <ScheduleCell schedules={row.original.schedules} />,
    meta: { width: "minmax(0, 1.6fr)", hideBelow: "md" },
  },
  {
    id: "recent",
    header: "Recent runs",
    cell: ({ row }) => <RunBars runs={row.original.recent} />,
    meta: { width: "128px", hideBelow: "md", align: "right" },
  },
  {
    id: "last_run",
    header: "Last run",
    enableSorting: true,
    accessorFn: (row) => row.last?.created_at,
    cell: ({ row }) => <LastRun pipeline={row.original} />,
    meta: { width: "112px", hideBelow: "sm" },
  },
  {
    id: "success_rate",
    header: "Success",
    cell: ({ row }) => {
      const rate = row.original.success_rate;
      return rate === null || rate === undefined ? null : <span>{percent(rate)}</span>;
    },
    meta: { width: "64px", align: "right", hideBelow: "xl" },
  },
  {
    id: "next_fire",
    header: "Next",
    enableSorting: true,
    accessorFn: (row) => row.next_at,
    cell: ({ row }) => (
      <Time at={row.original.paused ? null : row.original.next_at} past="due" className="text-ink-2" />
    ),
    meta: { width: "80px", align: "right", hideBelow: "lg" },
  },
  {
    id: "actions",
    header: () => <span className="sr-only">On or off, run now</span>,
    cell: ({ row }) => <RowActions pipeline={row.original} />,
    meta: { width: "76px", align: "right" },
  },
];

function LastRun({ pipeline: { last } }: { pipeline: PipelineItem }) {
  if (!last) return <span className="text-ink-3">Never</span>;
  return (
    <Link
      to="/runs/$id"
      params={{ id: String(last.run) }}
      tabIndex={-1}
      className="flex flex-col hover:underline"
    >
      <Status state={last.state} />
      <Time at={last.ended_at ?? last.created_at} className="pl-5 text-xs text-ink-3" />
    </Link>
  );
}
