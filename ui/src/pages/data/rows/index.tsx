import { useInfiniteQuery } from "@tanstack/react-query";
import { Plus } from "lucide-react";
import { useMemo, useState } from "react";
import type { Row } from "../../../api/data";
import type { Collection } from "../../../api/model";
import { rowsOptions } from "../../../api/queries/data";
import { useDenial } from "../../../api/roles";
import { Announcement } from "../../../components/Announcement";
import { Button } from "../../../components/Button";
import { EmptyState } from "../../../components/EmptyState";
import { usePagedRows } from "../../../components/use-paged-rows";
import { useUrlFilters } from "../../../components/use-url-filters";
import { filtersOf, listQuery } from "../filters";
import { ConflictDialog } from "./ConflictDialog";
import { DeleteDialog, type Deletion } from "./DeleteDialog";
import { Grid } from "./Grid";
import { RowDialog } from "./RowDialog";
import { Toolbar } from "./Toolbar";
import { useCellEdit } from "./use-cell-edit";
import { useRowsNews } from "./use-rows-news";

interface RowsTabProps {
  collection: Collection;
  /** All of them, for what columns refer to. */
  collections: Collection[];
}

/** The rows of a collection: to look at, to filter, and to change in place. */
export function RowsTab({ collection, collections }: RowsTabProps) {
  const [search, setSearch] = useUrlFilters<string>();
  const { sort, deleted, plain } = search;
  const references = useMemo(
    () => collection.columns.filter((column) => column.references).map((column) => column.name),
    [collection],
  );
  const filters = useMemo(() => filtersOf(search, collection.columns), [search, collection]);
  const query = listQuery({
    filters,
    sort,
    expand: plain ? [] : references,
    withDeleted: deleted === "true",
  });
  const list = usePagedRows<Row>(useInfiniteQuery(rowsOptions(collection, query)));
  const news = useRowsNews(collection, query);
  const edit = useCellEdit(collection);
  const denial = useDenial(collection.write);
  const deletionDenial = useDenial(collection.delete);
  const [shown, setShown] = useState<Row | "new" | null>(null);
  const [deletion, setDeletion] = useState<Deletion | null>(null);

  return (
    <>
      <Toolbar
        collection={collection}
        filters={filters}
        search={search}
        onSearchChange={setSearch}
        hasReferences={references.length > 0}
        action={
          <Button look="primary" icon={Plus} reason={denial} onClick={() => setShown("new")}>
            Add row
          </Button>
        }
      />
      {news.hasNews && <Announcement onShow={news.show}>Show rows that came or went</Announcement>}
      <Grid
        collection={collection}
        collections={collections}
        sort={sort}
        onSortChange={(next) => setSearch({ sort: next })}
        edit={edit}
        denial={denial}
        deletionDenial={deletionDenial}
        withDeleted={deleted === "true"}
        onOpen={setShown}
        onDelete={setDeletion}
        empty={
          filters.length > 0 ? (
            <EmptyState title="No row is like that">Take away a filter.</EmptyState>
          ) : (
            <EmptyState
              title={`${collection.name} has no rows`}
              action={
                <Button look="primary" icon={Plus} reason={denial} onClick={() => setShown("new")}>
                  Add row
                </Button>
              }
            >
              Add one, or upload a file with many.
            </EmptyState>
          )
        }
        {...list}
      />
      {shown && (
        <RowDialog
          collection={collection}
          collections={collections}
          row={shown === "new" ? null : shown}
          denial={denial}
          onClose={() => setShown(null)}
        />
      )}
      <DeleteDialog collection={collection} deletion={deletion} onClose={() => setDeletion(null)} />
      <ConflictDialog conflict={edit.conflict} onKeep={edit.keepTheirs} onOverwrite={edit.overwrite} />
    </>
  );
}
