import { useInfiniteQuery } from "@tanstack/react-query";
import { Download, Eye, FileText, Lock } from "lucide-react";
import { useState } from "react";
import type { ConnectionFile } from "../../api/model";
import { fileAddress, filesOptions } from "../../api/queries/connection-files";
import { useDenial } from "../../api/roles";
import { buttonClasses } from "../../components/button-classes";
import { Bytes } from "../../components/Bytes";
import { DataTable } from "../../components/DataTable";
import { Dialog } from "../../components/Dialog";
import { EmptyState } from "../../components/EmptyState";
import { FilterBar } from "../../components/FilterBar";
import { IconButton } from "../../components/IconButton";
import { SearchInput } from "../../components/SearchInput";
import { PreviewGrid } from "../../components/streams/PreviewGrid";
import type { Column } from "../../components/table-columns";
import { Time } from "../../components/Time";
import { usePagedRows } from "../../components/use-paged-rows";
import { useUrlFilters } from "../../components/use-url-filters";

/** The files behind a connection: to look into and to download. */
export function FilesPart({ connection }: { connection: string }) {
  const denial = useDenial("editor");
  if (denial)
    return (
      <EmptyState icon={Lock} title="Files take the role editor">
        They show what the other system holds.
      </EmptyState>
    );
  return <Files connection={connection} />;
}

function Files({ connection }: { connection: string }) {
  const [{ q }, setFilters] = useUrlFilters<"q">();
  const [viewed, setViewed] = useState<string>();
  const list = usePagedRows<ConnectionFile>(useInfiniteQuery(filesOptions(connection, q ?? "")));
  const columns: Column<ConnectionFile>[] = [
    {
      id: "path",
      header: "File",
      accessorFn: (file) => file.path,
      meta: { width: "minmax(160px, 1fr)" },
      cell: ({ row: { original } }) => (
        <button
          type="button"
          onClick={() => setViewed(original.path)}
          className="flex max-w-full items-center gap-2 hover:text-accent"
          title={original.path}
        >
          <FileText className="size-3.5 shrink-0 text-ink-3" aria-hidden />
          <span className="truncate">{original.path}</span>
        </button>
      ),
    },
    {
      id: "bytes",
      header: "Size",
      accessorFn: (file) => file.bytes,
      meta: { width: "88px", align: "right" },
      cell: ({ row }) => <Bytes value={row.original.bytes} />,
    },
    {
      id: "modified",
      header: "Written",
      accessorFn: (file) => file.modified_at,
      meta: { width: "112px", hideBelow: "sm" },
      cell: ({ row }) => (
        <Time at={row.original.modified_at} className="text-xs whitespace-nowrap text-ink-2" />
      ),
    },
    {
      id: "actions",
      header: () => <span className="sr-only">Actions</span>,
      meta: { width: "72px", align: "right" },
      cell: ({ row: { original } }) => (
        <span className="flex items-center justify-end gap-1">
          <IconButton
            icon={Eye}
            label={`View ${original.path}`}
            size="small"
            onClick={() => setViewed(original.path)}
          />
          <a
            href={fileAddress(connection, original.path)}
            download
            aria-label={`Download ${original.path}`}
            title="Download"
            className="inline-flex size-6 items-center justify-center rounded text-ink-2 hover:bg-hover hover:text-ink"
          >
            <Download className="size-3.5" aria-hidden />
          </a>
        </span>
      ),
    },
  ];

  return (
    <>
      <FilterBar>
        <SearchInput
          label="A folder, or a pattern such as reports/*.csv"
          value={q ?? ""}
          onValueChange={(next) => setFilters({ q: next })}
          className="grow sm:max-w-96"
        />
      </FilterBar>
      <DataTable
        label="Files"
        columns={columns}
        rowKey={(file) => file.path}
        onOpen={(file) => setViewed(file.path)}
        empty={
          <EmptyState icon={FileText} title={q ? "No file is there" : "There are no files yet"}>
            {q
              ? "Give a folder, a path, or a pattern with *."
              : "What pipelines write here is listed, to look into and to download."}
          </EmptyState>
        }
        {...list}
      />
      <Dialog
        open={viewed !== undefined}
        onOpenChange={(open) => !open && setViewed(undefined)}
        size="large"
        title={viewed ?? ""}
        description="The first rows, as a pipeline would read them."
        footer={
          viewed !== undefined && (
            <a href={fileAddress(connection, viewed)} download className={buttonClasses({ look: "primary" })}>
              <Download className="size-3.5" aria-hidden />
              Download
            </a>
          )
        }
      >
        {viewed !== undefined && <PreviewGrid connection={connection} stream={viewed} />}
      </Dialog>
    </>
  );
}
