import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Plus, Workflow } from "lucide-react";
import type { PipelineItem, RunState } from "../../api/model";
import { pipelinesOptions, type PipelineFilter } from "../../api/queries/pipelines";
import { useMe } from "../../api/queries/session";
import { hasRoleSomewhere } from "../../api/roles";
import { ButtonLink } from "../../components/ButtonLink";
import { DataTable } from "../../components/DataTable";
import { EmptyState } from "../../components/EmptyState";
import { FilterBar } from "../../components/FilterBar";
import { FilterSelect } from "../../components/FilterSelect";
import { PageHeader } from "../../components/PageHeader";
import { SearchInput } from "../../components/SearchInput";
import { breakpoint, useWidth } from "../../components/use-breakpoint";
import { usePagedRows } from "../../components/use-paged-rows";
import { useUrlFilters } from "../../components/use-url-filters";
import { look } from "../../format/status";
import { plural } from "../../format/numbers";
import { FilterChip } from "../../components/FilterChip";
import { COLUMNS } from "./columns";

const LAST: RunState[] = ["failed", "running", "queued", "succeeded", "cancelled"];

export default function PipelinesPage() {
  const [{ q, tag, owner, state, last, sort }, setFilters] = useUrlFilters<keyof Search>();
  const filter = {
    ...(q && { search: q }),
    ...(tag && { tag }),
    ...(owner && { owner }),
    ...(state && { state }),
    ...(last && { last }),
    ...(sort && { sort }),
  } as PipelineFilter;
  const list = usePagedRows<PipelineItem>(useInfiniteQuery(pipelinesOptions(filter)));
  const navigate = useNavigate();
  const isNarrow = useWidth() < breakpoint("md");
  const isFiltered = Boolean(q || tag || owner || state || last);
  // what to do first stands where the list would be
  const isEmpty = list.rows?.length === 0 && !isFiltered;
  const open = (row: PipelineItem) =>
    void navigate({ to: "/pipelines/$name/$tab", params: { name: row.name, tab: "graph" } });

  return (
    <div className="flex h-full flex-col">
      <PageHeader
        title="Pipelines"
        summary={summary(list.rows, list.hasMore, isFiltered)}
        actions={!isEmpty && <NewPipeline />}
      />
      <FilterBar>
        <SearchInput
          label="Search pipelines"
          value={q ?? ""}
          onValueChange={(next) => setFilters({ q: next })}
          className="grow basis-48 sm:max-w-72"
        />
        <FilterSelect
          label="Last run"
          value={last}
          onValueChange={(next) => setFilters({ last: next })}
          options={LAST.map((value) => ({ value, label: look(value).word }))}
        />
        <FilterSelect
          label="State"
          value={state}
          onValueChange={(next) => setFilters({ state: next })}
          options={[
            { value: "active", label: "On" },
            { value: "paused", label: "Off" },
          ]}
        />
        {tag && <FilterChip name="Tag" value={tag} onRemove={() => setFilters({ tag: undefined })} />}
        {owner && <FilterChip name="Owner" value={owner} onRemove={() => setFilters({ owner: undefined })} />}
      </FilterBar>
      <DataTable
        label="Pipelines"
        columns={COLUMNS}
        rowKey={(row) => row.name}
        rowHeight={isNarrow ? 64 : 48}
        sort={sort ?? "name"}
        onSortChange={(next) => setFilters({ sort: next === "name" ? undefined : next })}
        isSortedByServer
        onOpen={open}
        empty={
          isFiltered ? (
            <EmptyState title="No pipeline is like that">Take away a filter, or search for less.</EmptyState>
          ) : (
            <EmptyState icon={Workflow} title="There is no pipeline yet" action={<NewPipeline />}>
              A pipeline moves data from one connection to another, on a schedule or when you say so.
            </EmptyState>
          )
        }
        {...list}
      />
    </div>
  );
}

interface Search {
  q: string;
  tag: string;
  owner: string;
  state: string;
  last: string;
  sort: string;
}

function NewPipeline() {
  if (!hasRoleSomewhere(useMe(), "editor")) return null;
  return (
    <ButtonLink to="/pipelines/new" look="primary" icon={Plus}>
      New pipeline
    </ButtonLink>
  );
}

function summary(rows: PipelineItem[] | undefined, hasMore: boolean, isFiltered: boolean): string {
  if (!rows) return "";
  const failed = rows.filter((row) => row.last?.state === "failed").length;
  const off = rows.filter((row) => row.paused).length;
  const parts = [
    `${plural(rows.length, "pipeline")}${hasMore ? " or more" : ""}${isFiltered ? " like that" : ""}`,
    failed > 0 && `${failed} failed last`,
    off > 0 && `${off} off`,
  ];
  return parts.filter(Boolean).join(", ");
}
