import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { DatasetLoad } from "../../api/model";
import { datasetLoadsOptions } from "../../api/queries/datasets";
import { Bytes } from "../../components/Bytes";
import { Chart } from "../../components/Chart";
import { Count } from "../../components/Count";
import { DataTable } from "../../components/DataTable";
import { EmptyState } from "../../components/EmptyState";
import type { Column } from "../../components/table-columns";
import { Time } from "../../components/Time";
import { usePagedRows } from "../../components/use-paged-rows";
import { count } from "../../format/numbers";

/** The last loads of a dataset, and how many rows each of them wrote. */
export function LoadsPart({ name }: { name: string }) {
  const list = usePagedRows<DatasetLoad>(useInfiniteQuery(datasetLoadsOptions(name)));
  const drawn = list.rows?.filter((load) => load.figures).toReversed() ?? [];
  return (
    <>
      {drawn.length > 1 && (
        <div className="border-b px-2 sm:px-4">
          <Chart
            label={`Rows that the last ${drawn.length} loads wrote`}
            times={drawn.map((load) => Date.parse(load.at))}
            series={[
              {
                label: "Rows written",
                colour: "accent",
                values: drawn.map((load) => load.figures?.written ?? null),
                format: count,
              },
            ]}
            height={140}
          />
        </div>
      )}
      <DataTable
        label="Loads"
        columns={COLUMNS}
        rowKey={(load) => String(load.number)}
        empty={<EmptyState title="It was never loaded">Runs have only read it so far.</EmptyState>}
        {...list}
      />
    </>
  );
}

const COLUMNS: Column<DatasetLoad>[] = [
  {
    id: "at",
    header: "When",
    cell: ({ row: { original: load } }) => <Time at={load.at} />,
    meta: { width: "88px" },
  },
  {
    id: "run",
    header: "Run",
    cell: ({ row: { original: load } }) => (
      <Link to="/runs/$id" params={{ id: String(load.run) }} tabIndex={-1} className="hover:underline">
        #{load.run} {load.pipeline}
      </Link>
    ),
    meta: { width: "minmax(0, 1fr)" },
  },
  {
    id: "sources",
    header: "From",
    cell: ({ row: { original: load } }) => load.sources.join(", "),
    meta: { width: "minmax(0, 1.4fr)", hideBelow: "lg" },
  },
  {
    id: "read",
    header: "Read",
    cell: ({ row: { original: load } }) => <Count value={load.figures?.read} />,
    meta: { width: "96px", align: "right", hideBelow: "md" },
  },
  {
    id: "written",
    header: "Written",
    cell: ({ row: { original: load } }) => <Count value={load.figures?.written} />,
    meta: { width: "96px", align: "right" },
  },
  {
    id: "rejected",
    header: "Rejected",
    cell: ({ row: { original: load } }) => <Count value={load.figures?.rejected} />,
    meta: { width: "80px", align: "right", hideBelow: "sm" },
  },
  {
    id: "bytes",
    header: "Size",
    cell: ({ row: { original: load } }) => <Bytes value={load.figures?.bytes} />,
    meta: { width: "80px", align: "right", hideBelow: "md" },
  },
];
