import { Link } from "@tanstack/react-router";
import { FileChartColumn, Table2 } from "lucide-react";
import type { Column } from "../../components/table-columns";
import { plural } from "../../format/numbers";
import { accessWords, linkOf, type Served } from "./served";

/** The list of what is served. */
export const SERVED_COLUMNS: Column<Served>[] = [
  {
    id: "name",
    header: "Name",
    accessorFn: (served) => served.name,
    cell: ({ row: { original: served } }) => <Name served={served} />,
    meta: { width: "minmax(140px, 2fr)" },
  },
  {
    id: "path",
    header: "Path",
    accessorFn: (served) => served.path,
    cell: ({ row: { original: served } }) => (
      <span className="font-mono text-xs text-ink-2">{served.path}</span>
    ),
    meta: { width: "minmax(110px, 1.4fr)" },
  },
  {
    id: "connection",
    header: "Connection",
    accessorFn: (served) => served.connection,
    cell: ({ row: { original: served } }) => (
      <Link
        to="/connections/$name"
        params={{ name: served.connection }}
        tabIndex={-1}
        className="hover:underline"
      >
        {served.connection}
      </Link>
    ),
    meta: { width: "minmax(0, 1fr)", hideBelow: "sm" },
  },
  {
    id: "size",
    header: "Holds",
    accessorFn: (served) => served.size,
    cell: ({ row: { original: served } }) => (
      <span className="text-ink-2">
        {plural(served.size, served.kind === "collection" ? "column" : "parameter")}
      </span>
    ),
    meta: { width: "104px", align: "right", hideBelow: "md" },
  },
  {
    id: "access",
    header: "Access",
    cell: ({ row: { original: served } }) => <span className="text-ink-2">{accessWords(served)}</span>,
    meta: { width: "minmax(0, 1.6fr)", hideBelow: "lg" },
  },
];

function Name({ served }: { served: Served }) {
  const Icon = served.kind === "collection" ? Table2 : FileChartColumn;
  return (
    <span className="flex min-w-0 items-center gap-2">
      <Icon
        className="size-3.5 shrink-0 text-ink-3"
        aria-label={served.kind === "collection" ? "Collection" : "Report"}
      />
      <Link {...linkOf(served)} tabIndex={-1} className="shrink-0 font-medium hover:underline">
        {served.name}
      </Link>
      {served.description && <span className="truncate text-xs text-ink-3">{served.description}</span>}
    </span>
  );
}
