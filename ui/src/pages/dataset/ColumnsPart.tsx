import { Link } from "@tanstack/react-router";
import { KeyRound, Pencil, Waypoints } from "lucide-react";
import { useState } from "react";
import type { Versioned } from "../../api/client";
import type { Dataset, DatasetColumn } from "../../api/model";
import { useDenial } from "../../api/roles";
import { Callout } from "../../components/Callout";
import { EmptyState } from "../../components/EmptyState";
import { IconButton } from "../../components/IconButton";
import { DataTable } from "../../components/DataTable";
import { Tag } from "../../components/Tag";
import type { Column } from "../../components/table-columns";
import { plural } from "../../format/numbers";
import { ColumnDialog } from "./ColumnDialog";

/** The columns of a dataset, with what is written about them. */
export function ColumnsPart({ dataset }: { dataset: Versioned<Dataset> }) {
  const [editing, setEditing] = useState<DatasetColumn | null>(null);
  const denial = useDenial("editor");
  const { name, schema, left_out } = dataset.data;
  const columns: Column<DatasetColumn>[] = [
    ...COLUMNS,
    {
      id: "actions",
      header: () => <span className="sr-only">Lineage, edit</span>,
      cell: ({ row: { original: column } }) => (
        <span className="flex justify-end gap-1">
          <Link
            to="/catalogue/dataset"
            search={{ name, part: "lineage", column: column.name }}
            aria-label={`Lineage of ${column.name}`}
            className="flex size-7 items-center justify-center rounded text-ink-2 hover:bg-hover hover:text-ink"
          >
            <Waypoints className="size-3.5" aria-hidden />
          </Link>
          <IconButton
            icon={Pencil}
            size="small"
            label={`Write about ${column.name}`}
            reason={denial}
            onClick={() => setEditing(column)}
          />
        </span>
      ),
      meta: { width: "72px", align: "right" },
    },
  ];
  return (
    <>
      {left_out > 0 && (
        <div className="p-4 sm:px-6">
          <Callout tone="info" title={`${plural(left_out, "more column")} of it are not kept`}>
            The catalogue keeps the first columns of very wide datasets.
          </Callout>
        </div>
      )}
      <DataTable
        label="Columns"
        columns={columns}
        rows={schema}
        rowKey={(column) => column.name}
        rowHeight={44}
        empty={
          <EmptyState title="No run has seen its columns">
            A task that tells its datasets by name alone does not know them.
          </EmptyState>
        }
      />
      {editing && <ColumnDialog dataset={dataset} column={editing} onClose={() => setEditing(null)} />}
    </>
  );
}

const COLUMNS: Column<DatasetColumn>[] = [
  {
    id: "name",
    header: "Column",
    cell: ({ row: { original: column } }) => (
      <span className="flex min-w-0 items-center gap-1.5">
        <span className="truncate font-medium" title={column.name}>
          {column.name}
        </span>
        {column.key && <KeyRound className="size-3 shrink-0 text-ink-3" aria-label="part of the key" />}
      </span>
    ),
    meta: { width: "minmax(0, 1.4fr)" },
  },
  {
    id: "type",
    header: "Type",
    cell: ({ row: { original: column } }) =>
      column.type ? (
        <span className="font-mono text-xs" title={column.native?.split(":").slice(1).join(":")}>
          {column.type}
        </span>
      ) : (
        <span className="text-xs text-ink-3">there no more</span>
      ),
    meta: { width: "minmax(0, 1fr)" },
  },
  {
    id: "null",
    header: "Null",
    cell: ({ row: { original: column } }) => (
      <span className="text-xs text-ink-2">{column.nullable ? "allowed" : "never"}</span>
    ),
    meta: { width: "64px", hideBelow: "md" },
  },
  {
    id: "tags",
    header: "Tags",
    cell: ({ row: { original: column } }) => (
      <span className="flex gap-1">
        {column.tags.map((tag) => (
          <Link key={tag} to="/catalogue" search={{ tag }} tabIndex={-1} className="hover:underline">
            <Tag>{tag}</Tag>
          </Link>
        ))}
      </span>
    ),
    meta: { width: "minmax(0, 1fr)", hideBelow: "sm" },
  },
  {
    id: "description",
    header: "About",
    cell: ({ row: { original: column } }) => (
      <span className="text-ink-2" title={column.description ?? undefined}>
        {column.description}
      </span>
    ),
    meta: { width: "minmax(0, 2fr)", hideBelow: "md" },
  },
];
