import { useInfiniteQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import type { AuditLine } from "../../../api/model";
import { auditOptions, type AuditFilter } from "../../../api/queries/admin";
import { useLive } from "../../../api/use-live";
import { Announcement } from "../../../components/Announcement";
import { DataTable } from "../../../components/DataTable";
import { EmptyState } from "../../../components/EmptyState";
import { FilterBar } from "../../../components/FilterBar";
import { FilterSelect } from "../../../components/FilterSelect";
import { SearchInput } from "../../../components/SearchInput";
import { usePagedRows } from "../../../components/use-paged-rows";
import { useUrlFilters } from "../../../components/use-url-filters";
import { AUDIT_COLUMNS } from "./columns";
import { OUTCOMES, SPANS, sinceOf } from "./filters";
import { Verify } from "./Verify";

/** Every change that was asked for, and every denial. */
export function Audit() {
  const [search, setFilters] = useUrlFilters<keyof AuditFilter>();
  const { actor, action, object, outcome, since } = search;
  const filter = useMemo<AuditFilter>(
    () => ({
      ...(actor && { actor }),
      ...(action && { action }),
      ...(object && { object }),
      ...(outcome && { outcome }),
      ...(since && { since: sinceOf(since, Date.now()) }),
    }),
    [actor, action, object, outcome, since],
  );
  const query = useInfiniteQuery(auditOptions(filter));
  const list = usePagedRows<AuditLine>(query);
  const [changedAt, setChangedAt] = useState(0);
  useLive("changes", () => setChangedAt(Date.now()));
  return (
    <>
      <FilterBar>
        <SearchInput
          label="Who"
          value={actor ?? ""}
          onValueChange={(next) => setFilters({ actor: next })}
          className="w-36 grow sm:grow-0"
        />
        <SearchInput
          label="Operation"
          value={action ?? ""}
          onValueChange={(next) => setFilters({ action: next })}
          className="w-40 grow sm:grow-0"
        />
        <SearchInput
          label="Object"
          value={object ?? ""}
          onValueChange={(next) => setFilters({ object: next })}
          className="w-40 grow sm:grow-0"
        />
        <FilterSelect
          label="Outcome"
          value={outcome}
          onValueChange={(next) => setFilters({ outcome: next })}
          options={OUTCOMES}
        />
        <FilterSelect
          label="Time"
          value={since}
          onValueChange={(next) => setFilters({ since: next })}
          options={SPANS}
        />
        <span className="ml-auto">
          <Verify />
        </span>
      </FilterBar>
      {changedAt > query.dataUpdatedAt && (
        <Announcement onShow={() => void query.refetch()}>Show new lines</Announcement>
      )}
      <DataTable
        label="Audit log"
        columns={AUDIT_COLUMNS}
        rowKey={(line) => String(line.number)}
        empty={
          <EmptyState title="No line is like that">Names have to be whole. Take away a filter.</EmptyState>
        }
        {...list}
      />
    </>
  );
}
