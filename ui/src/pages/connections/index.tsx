import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Cable, Plus, PlugZap } from "lucide-react";
import type { Connection } from "../../api/model";
import { connectionsOptions, connectorsOptions } from "../../api/queries/connections";
import { useDenial } from "../../api/roles";
import { Button } from "../../components/Button";
import { ButtonLink } from "../../components/ButtonLink";
import { EmptyState } from "../../components/EmptyState";
import { ErrorState } from "../../components/ErrorState";
import { FilterBar } from "../../components/FilterBar";
import { FilterSelect } from "../../components/FilterSelect";
import { PageHeader } from "../../components/PageHeader";
import { SearchInput } from "../../components/SearchInput";
import { Skeleton } from "../../components/Skeleton";
import { usePagedRows } from "../../components/use-paged-rows";
import { useUrlFilters } from "../../components/use-url-filters";
import { plural } from "../../format/numbers";
import { ConnectionCard } from "./ConnectionCard";
import { useTestAll } from "./use-test-all";

export default function ConnectionsPage() {
  const [{ q, connector }, setFilters] = useUrlFilters<"q" | "connector">();
  const filter = { ...(q && { search: q }), ...(connector && { connector }) };
  const { rows, error, onRetry, hasMore, isLoadingMore, onMore } = usePagedRows<Connection>(
    useInfiniteQuery(connectionsOptions(filter)),
  );
  const { data: connectors } = useQuery(connectorsOptions);
  const { testing, testAll } = useTestAll();
  const noTest = useDenial("operator");
  const isFiltered = Boolean(q || connector);

  return (
    <>
      <PageHeader
        title="Connections"
        summary={
          rows
            ? `${plural(rows.length, "connection")}${hasMore ? " or more" : ""}${isFiltered ? " like that" : ""}`
            : ""
        }
        actions={
          <>
            {rows && rows.length > 0 && (
              <Button
                icon={PlugZap}
                busy={testing.size > 0}
                reason={noTest}
                onClick={() => void testAll(rows.map((row) => row.name))}
              >
                Test all
              </Button>
            )}
            <NewConnection />
          </>
        }
      />
      <FilterBar>
        <SearchInput
          label="Search connections"
          value={q ?? ""}
          onValueChange={(next) => setFilters({ q: next })}
          className="grow basis-48 sm:max-w-72"
        />
        <FilterSelect
          label="Kind"
          value={connector}
          onValueChange={(next) => setFilters({ connector: next })}
          options={(connectors?.items ?? []).map((one) => ({ value: one.name, label: one.title }))}
        />
      </FilterBar>
      {error && !rows ? (
        <ErrorState error={error} onRetry={onRetry} />
      ) : rows?.length === 0 ? (
        <Empty isFiltered={isFiltered} />
      ) : (
        <ul
          aria-busy={!rows}
          className="grid gap-3 p-4 sm:grid-cols-[repeat(auto-fill,minmax(300px,1fr))] sm:p-6"
        >
          {rows
            ? rows.map((row) => (
                <ConnectionCard
                  key={row.name}
                  connection={row}
                  title={connectors?.items.find((one) => one.name === row.connector)?.title}
                  isTesting={testing.has(row.name)}
                />
              ))
            : Array.from({ length: 6 }, (_, index) => (
                <li key={index}>
                  <Skeleton className="h-[118px] w-full rounded-lg" />
                </li>
              ))}
        </ul>
      )}
      {hasMore && (
        <div className="flex justify-center pb-6">
          <Button busy={isLoadingMore} onClick={() => void onMore()}>
            Show more
          </Button>
        </div>
      )}
    </>
  );
}

function NewConnection() {
  const denial = useDenial("editor");
  if (denial) return null;
  return (
    <ButtonLink to="/connections/new" look="primary" icon={Plus}>
      New connection
    </ButtonLink>
  );
}

function Empty({ isFiltered }: { isFiltered: boolean }) {
  return isFiltered ? (
    <EmptyState title="No connection is like that">Search looks at names, kinds and addresses.</EmptyState>
  ) : (
    <EmptyState icon={Cable} title="There is no connection yet" action={<NewConnection />}>
      A connection says how to reach a database, a folder or a bucket. Pipelines read from one and write to
      another.
    </EmptyState>
  );
}
