import { Link } from "@tanstack/react-router";
import type { DatasetItem } from "../../api/model";
import { Count } from "../../components/Count";
import { Tag } from "../../components/Tag";
import type { Column } from "../../components/table-columns";
import { Time } from "../../components/Time";

/** The columns of the list; narrow windows show the name and how fresh it is. */
export const COLUMNS: Column<DatasetItem>[] = [
  {
    id: "name",
    header: "Dataset",
    enableSorting: true,
    accessorFn: (row) => row.name,
    cell: ({ row }) => <NameCell dataset={row.original} />,
    meta: { width: "minmax(0, 2.4fr)" },
  },
  {
    id: "tags",
    header: "Tags",
    cell: ({ row }) => (
      <span className="flex gap-1">
        {row.original.tags.map((tag) => (
          <Link key={tag} to="/catalogue" search={{ tag }} tabIndex={-1} className="hover:underline">
            <Tag>{tag}</Tag>
          </Link>
        ))}
      </span>
    ),
    meta: { width: "minmax(0, 1fr)", hideBelow: "lg" },
  },
  {
    id: "owner",
    header: "Owner",
    cell: ({ row }) =>
      row.original.owner && (
        <Link
          to="/catalogue"
          search={{ owner: row.original.owner }}
          tabIndex={-1}
          className="hover:underline"
        >
          {row.original.owner}
        </Link>
      ),
    meta: { width: "minmax(0, 0.7fr)", hideBelow: "lg" },
  },
  {
    id: "columns",
    header: "Columns",
    cell: ({ row }) => <Count value={row.original.columns} />,
    meta: { width: "72px", align: "right", hideBelow: "md" },
  },
  {
    id: "rows",
    header: "Rows, about",
    enableSorting: true,
    accessorFn: (row) => row.rows_estimate,
    cell: ({ row }) => <Count value={row.original.rows_estimate} short />,
    meta: { width: "96px", align: "right", hideBelow: "md" },
  },
  {
    id: "pipeline",
    header: "Loaded by",
    cell: ({ row }) => <LoadedBy dataset={row.original} />,
    meta: { width: "minmax(0, 1fr)", hideBelow: "sm" },
  },
  {
    id: "updated_at",
    header: "Loaded",
    enableSorting: true,
    accessorFn: (row) => row.updated_at,
    cell: ({ row }) => (
      <Time at={row.original.updated_at} none={row.original.is_external ? "told by others" : "only read"} />
    ),
    meta: { width: "96px", align: "right" },
  },
];

function NameCell({ dataset }: { dataset: DatasetItem }) {
  const { name, description, found } = dataset;
  return (
    <span className="flex min-w-0 flex-col">
      <Link
        to="/catalogue/dataset"
        search={{ name }}
        tabIndex={-1}
        className="truncate font-medium hover:underline"
        title={name}
      >
        {name}
      </Link>
      <span className="truncate text-xs text-ink-2">
        {found.length > 0 ? `with the columns ${found.join(", ")}` : description}
      </span>
    </span>
  );
}

function LoadedBy({ dataset: { last } }: { dataset: DatasetItem }) {
  if (!last) return null;
  return (
    <Link
      to="/pipelines/$name/$tab"
      params={{ name: last.pipeline, tab: "graph" }}
      tabIndex={-1}
      className="hover:underline"
    >
      {last.pipeline}
    </Link>
  );
}
