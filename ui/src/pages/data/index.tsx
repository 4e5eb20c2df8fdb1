import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useMemo } from "react";
import { collectionsOptions, reportsOptions } from "../../api/queries/data";
import { DataTable } from "../../components/DataTable";
import { EmptyState } from "../../components/EmptyState";
import { FilterBar } from "../../components/FilterBar";
import { FilterSelect } from "../../components/FilterSelect";
import { PageHeader } from "../../components/PageHeader";
import { SearchInput } from "../../components/SearchInput";
import { useUrlFilters } from "../../components/use-url-filters";
import { plural } from "../../format/numbers";
import { AddFirst } from "./AddFirst";
import { AddButton } from "./AddButton";
import { SERVED_COLUMNS } from "./columns";
import { linkOf, matches, servedOf } from "./served";

const KINDS = [
  { value: "collection", label: "Collections" },
  { value: "report", label: "Reports" },
];

export default function DataPage() {
  const collections = useQuery(collectionsOptions);
  const reports = useQuery(reportsOptions);
  const [{ q, kind, sort }, setFilters] = useUrlFilters<"q" | "kind" | "sort">();
  const navigate = useNavigate();
  const all = useMemo(
    () => (collections.data && reports.data ? servedOf(collections.data, reports.data) : undefined),
    [collections.data, reports.data],
  );
  const shown = useMemo(
    () => all?.filter((served) => (!kind || served.kind === kind) && matches(served, q ?? "")),
    [all, kind, q],
  );
  const summary =
    collections.data && reports.data
      ? `${plural(collections.data.length, "collection")} and ${plural(reports.data.length, "report")}, served over HTTP`
      : "Tables and queries, served over HTTP";

  if (all?.length === 0)
    return (
      <>
        <PageHeader title="Data API" summary="Tables and queries of your databases, served over HTTP" />
        <AddFirst />
      </>
    );
  return (
    <div className="flex h-full flex-col">
      <PageHeader title="Data API" summary={summary} actions={<AddButton />} />
      <FilterBar>
        <SearchInput
          label="Search collections and reports"
          value={q ?? ""}
          onValueChange={(next) => setFilters({ q: next })}
          className="grow basis-48 sm:max-w-72"
        />
        <FilterSelect
          label="Kind"
          value={kind}
          onValueChange={(next) => setFilters({ kind: next })}
          options={KINDS}
        />
      </FilterBar>
      <DataTable
        label="Collections and reports"
        columns={SERVED_COLUMNS}
        rows={shown}
        rowKey={(served) => `${served.kind}:${served.name}`}
        sort={sort ?? "name"}
        onSortChange={(next) => setFilters({ sort: next })}
        error={collections.error ?? reports.error}
        onRetry={() => void Promise.all([collections.refetch(), reports.refetch()])}
        onOpen={(served) => void navigate(linkOf(served))}
        empty={
          <EmptyState title="Nothing here is called that">
            Look for another name, path or connection.
          </EmptyState>
        }
      />
    </div>
  );
}
