import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { BookMarked } from "lucide-react";
import type { DatasetItem } from "../../api/model";
import { allConnectionsOptions } from "../../api/queries/connections";
import { datasetsOptions, type DatasetFilter } from "../../api/queries/datasets";
import { DataTable } from "../../components/DataTable";
import { EmptyState } from "../../components/EmptyState";
import { FilterBar } from "../../components/FilterBar";
import { FilterChip } from "../../components/FilterChip";
import { FilterSelect } from "../../components/FilterSelect";
import { PageHeader } from "../../components/PageHeader";
import { SearchInput } from "../../components/SearchInput";
import { usePagedRows } from "../../components/use-paged-rows";
import { useUrlFilters } from "../../components/use-url-filters";
import { plural } from "../../format/numbers";
import { COLUMNS } from "./columns";

/** Every table, topic and path that a run read or wrote. */
export default function CataloguePage() {
  const [{ q, connection, tag, owner, sort }, setFilters] = useUrlFilters<
    "q" | "connection" | "tag" | "owner" | "sort"
  >();
  const filter = {
    ...(q && { search: q }),
    ...(connection && { connection }),
    ...(tag && { tag }),
    ...(owner && { owner }),
    ...(sort && { sort }),
  } as DatasetFilter;
  const list = usePagedRows<DatasetItem>(useInfiniteQuery(datasetsOptions(filter)));
  const { data: connections } = useQuery(allConnectionsOptions);
  const navigate = useNavigate();
  const isFiltered = Boolean(q || connection || tag || owner);

  return (
    <div className="flex h-full flex-col">
      <PageHeader title="Catalogue" summary={summary(list.rows, list.hasMore, isFiltered)} />
      <FilterBar>
        <SearchInput
          label="Search datasets and columns"
          value={q ?? ""}
          onValueChange={(next) => setFilters({ q: next })}
          className="grow basis-48 sm:max-w-72"
        />
        <FilterSelect
          label="Connection"
          value={connection}
          onValueChange={(next) => setFilters({ connection: next })}
          options={(connections ?? []).map(({ name }) => ({ value: name, label: name }))}
        />
        {tag && <FilterChip name="Tag" value={tag} onRemove={() => setFilters({ tag: undefined })} />}
        {owner && <FilterChip name="Owner" value={owner} onRemove={() => setFilters({ owner: undefined })} />}
      </FilterBar>
      <DataTable
        label="Datasets"
        columns={COLUMNS}
        rowKey={(row) => row.name}
        rowHeight={56}
        sort={sort ?? "name"}
        onSortChange={(next) => setFilters({ sort: next === "name" ? undefined : next })}
        isSortedByServer
        onOpen={(row) => void navigate({ to: "/catalogue/dataset", search: { name: row.name } })}
        empty={
          isFiltered ? (
            <EmptyState title="No dataset is like that">
              Search looks at names, descriptions, owners, tags and columns.
            </EmptyState>
          ) : (
            <EmptyState icon={BookMarked} title="Nothing is known yet">
              Every table, topic or file that a run reads or writes is listed here from its first run on.
            </EmptyState>
          )
        }
        {...list}
      />
    </div>
  );
}

function summary(rows: DatasetItem[] | undefined, hasMore: boolean, isFiltered: boolean): string {
  if (!rows) return "";
  return `${plural(rows.length, "dataset")}${hasMore ? " or more" : ""}${isFiltered ? " like that" : ""}`;
}
