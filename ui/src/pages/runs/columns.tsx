import { Link } from "@tanstack/react-router";
import type { Run } from "../../api/model";
import { Checkbox } from "../../components/Checkbox";
import { Duration } from "../../components/Duration";
import { Status } from "../../components/Status";
import type { Column } from "../../components/table-columns";
import { Time } from "../../components/Time";
import { CAUSES } from "../../format/causes";
import { Params } from "./Params";

interface ColumnsOptions {
  /** Runs that are chosen to compare. */
  chosen: number[];
  onChoose: (id: number, isChosen: boolean) => void;
  /** Room for two lines and few columns. */
  isPhone: boolean;
}

/** The columns of the list, of which two rows can be chosen to compare. */
export function columnsWith({ chosen, onChoose, isPhone }: ColumnsOptions): Column<Run>[] {
  return [
    {
      id: "chosen",
      header: () => <span className="sr-only">Compare</span>,
      cell: ({ row: { original: run } }) => (
        <Checkbox
          checked={chosen.includes(run.id)}
          onCheckedChange={(isChosen) => onChoose(run.id, isChosen)}
          label={`Choose run ${run.id} to compare`}
        />
      ),
      meta: { width: "16px" },
    },
    {
      id: "id",
      header: "Run",
      cell: ({ row: { original: run } }) => <RunLink run={run} />,
      meta: { width: "64px", hideBelow: "sm" },
    },
    {
      id: "pipeline",
      header: "Pipeline",
      cell: ({ row: { original: run } }) =>
        isPhone ? (
          <span className="flex flex-col">
            <span className="truncate">{run.pipeline}</span>
            <span className="text-xs text-ink-3">
              Run <RunLink run={run} />, <Time at={run.created_at} />
            </span>
          </span>
        ) : (
          run.pipeline
        ),
      meta: { width: "minmax(0, 2fr)" },
    },
    {
      id: "state",
      header: "Status",
      cell: ({ row: { original: run } }) => (
        <span className="flex flex-col">
          <Status state={run.state} />
          {isPhone && (
            <span className="pl-5 text-xs text-ink-3">
              <Duration from={run.started_at} to={run.ended_at} />
            </span>
          )}
        </span>
      ),
      meta: { width: "104px" },
    },
    {
      id: "cause",
      header: "Cause",
      cell: ({ row: { original: run } }) => <CauseOf run={run} />,
      meta: { width: "minmax(0, 1fr)", hideBelow: "md" },
    },
    {
      id: "params",
      header: "Parameters",
      cell: ({ row }) => <Params params={row.original.params} />,
      meta: { width: "minmax(0, 1.2fr)", hideBelow: "xl" },
    },
    {
      id: "created",
      header: "Made",
      enableSorting: true,
      accessorFn: (run) => run.created_at,
      cell: ({ row }) => <Time at={row.original.created_at} className="text-ink-2" />,
      meta: { width: "96px", align: "right", hideBelow: "sm" },
    },
    {
      id: "took",
      header: "Took",
      cell: ({ row: { original: run } }) => <Duration from={run.started_at} to={run.ended_at} />,
      meta: { width: "80px", align: "right", hideBelow: "sm" },
    },
  ];
}

function RunLink({ run: { id } }: { run: Run }) {
  return (
    <Link
      to="/runs/$id"
      params={{ id: String(id) }}
      tabIndex={-1}
      className="tabular font-medium hover:underline"
    >
      {id}
    </Link>
  );
}

function CauseOf({ run }: { run: Run }) {
  if (run.retry_of) return <>Retry of {run.retry_of}</>;
  if (run.backfill) return <>Backfill {run.backfill}</>;
  const schedule = run.schedule && run.schedule !== "schedule" ? ` ${run.schedule}` : "";
  return (
    <>
      {CAUSES[run.cause]}
      {schedule}
    </>
  );
}
