import { Link } from "@tanstack/react-router";
import type { Run } from "../../api/model";
import { Checkbox } from "../../components/Checkbox";
import { Duration } from "../../components/Duration";
import { Status } from "../../components/Status";
import type { Column } from "../../components/table-columns";
import { Time } from "../../components/Time";
import { CAUSES } from "../../format/causes";
import { Params } from "./Params";

/** The columns of the list, of which two rows can be chosen to compare. */
export function columnsWith(
  chosen: number[],
  onChoose: (id: number, isChosen: boolean) => void,
): Column<Run>[] {
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
      meta: { width: "16px", hideBelow: "sm" },
    },
    {
      id: "id",
      header: "Run",
      cell: ({ row: { original: run } }) => (
        <Link
          to="/runs/$id"
          params={{ id: String(run.id) }}
          tabIndex={-1}
          className="tabular font-medium hover:underline"
        >
          {run.id}
        </Link>
      ),
      meta: { width: "64px" },
    },
    {
      id: "pipeline",
      header: "Pipeline",
      cell: ({ row: { original: run } }) => run.pipeline,
      meta: { width: "minmax(0, 2fr)" },
    },
    {
      id: "state",
      header: "Status",
      cell: ({ row }) => <Status state={row.original.state} />,
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
      meta: { width: "88px", align: "right" },
    },
  ];
}

function CauseOf({ run }: { run: Run }) {
  if (run.retry_of) return <>Retry of {run.retry_of}</>;
  if (run.backfill) return <>Backfill {run.backfill}</>;
  const schedule = run.schedule && run.schedule !== "default" ? ` ${run.schedule}` : "";
  return (
    <>
      {CAUSES[run.cause]}
      {schedule}
    </>
  );
}
