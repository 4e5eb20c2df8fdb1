import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { GitCompareArrows, ListTree } from "lucide-react";
import { useMemo, useState } from "react";
import { keys } from "../../api/keys";
import type { Cause, Run, RunState } from "../../api/model";
import { runsOptions, type RunFilter } from "../../api/queries/runs";
import { ButtonLink } from "../../components/ButtonLink";
import { DataTable } from "../../components/DataTable";
import { EmptyState } from "../../components/EmptyState";
import { FilterBar } from "../../components/FilterBar";
import { FilterChip } from "../../components/FilterChip";
import { FilterSelect } from "../../components/FilterSelect";
import { PageHeader } from "../../components/PageHeader";
import { PipelineFilter } from "../../components/PipelineFilter";
import { SearchInput } from "../../components/SearchInput";
import { SpanFilter } from "../../components/SpanFilter";
import { useWidth } from "../../components/use-breakpoint";
import { usePagedRows } from "../../components/use-paged-rows";
import { useUrlFilters } from "../../components/use-url-filters";
import { CAUSES } from "../../format/causes";
import { instantOf } from "../../format/spans";
import { look } from "../../format/status";
import { columnsWith } from "./columns";
import { NewRuns } from "./NewRuns";

const STATES: RunState[] = ["failed", "running", "queued", "succeeded", "cancelled"];

interface Search {
  q: string;
  pipeline: string;
  state: string;
  cause: string;
  since: string;
  until: string;
  backfill: string;
  sort: string;
}

export default function RunsPage() {
  const [search, setFilters] = useUrlFilters<keyof Search>();
  const { q, pipeline, state, cause, since, until, backfill, sort } = search;
  const filter = useMemo(
    () => filterOf({ q, pipeline, state, cause, since, until, backfill, sort }),
    [q, pipeline, state, cause, since, until, backfill, sort],
  );
  const list = usePagedRows<Run>(useInfiniteQuery(runsOptions(filter)));
  const client = useQueryClient();
  const navigate = useNavigate();
  const [chosen, setChosen] = useState<number[]>([]);
  const isPhone = useWidth() === 0;
  const columns = useMemo(() => {
    const onChoose = (id: number, isChosen: boolean) =>
      setChosen((before) => (isChosen ? [...before.slice(-1), id] : before.filter((other) => other !== id)));
    return columnsWith({ chosen, onChoose, isPhone });
  }, [chosen, isPhone]);
  const isFiltered = Object.keys(filter).some((name) => name !== "sort");
  const isNewestFirst = sort !== "created";

  return (
    <div className="flex h-full flex-col">
      <PageHeader title="Runs" summary="Every run of every pipeline" actions={<Compare chosen={chosen} />} />
      <FilterBar>
        <SearchInput
          label="Search by pipeline or number"
          value={q ?? ""}
          onValueChange={(next) => setFilters({ q: next })}
          className="grow basis-48 sm:max-w-72"
        />
        <FilterSelect
          label="Status"
          value={state}
          onValueChange={(next) => setFilters({ state: next })}
          options={STATES.map((value) => ({ value, label: look(value).word }))}
        />
        <FilterSelect
          label="Cause"
          value={cause}
          onValueChange={(next) => setFilters({ cause: next })}
          options={Object.entries(CAUSES).map(([value, label]) => ({ value, label }))}
        />
        <PipelineFilter value={pipeline} onValueChange={(next) => setFilters({ pipeline: next })} />
        <SpanFilter since={since} until={until} onChange={setFilters} />
        {backfill && (
          <FilterChip name="Backfill" value={backfill} onRemove={() => setFilters({ backfill: undefined })} />
        )}
      </FilterBar>
      {isNewestFirst && !until && (
        <NewRuns
          filter={filter}
          newest={list.rows?.[0]?.id}
          onShow={() => client.resetQueries({ queryKey: keys.runs.list(filter) })}
        />
      )}
      <DataTable
        label="Runs"
        columns={columns}
        rowKey={(run) => String(run.id)}
        rowHeight={isPhone ? 48 : 36}
        sort={isNewestFirst ? "-created" : "created"}
        onSortChange={(next) => setFilters({ sort: next === "created" ? "created" : undefined })}
        isSortedByServer
        onOpen={(run) => void navigate({ to: "/runs/$id", params: { id: String(run.id) } })}
        empty={
          isFiltered ? (
            <EmptyState title="No run is like that">Take away a filter, or look at a longer time.</EmptyState>
          ) : (
            <EmptyState
              icon={ListTree}
              title="Nothing has run yet"
              action={
                <ButtonLink to="/pipelines" look="primary">
                  Go to the pipelines
                </ButtonLink>
              }
            >
              Runs start by their schedules, or with “Run now”.
            </EmptyState>
          )
        }
        {...list}
      />
    </div>
  );
}

/** Leads to the comparison once two runs are chosen. */
function Compare({ chosen }: { chosen: number[] }) {
  const [a, b] = [...chosen].sort((x, y) => x - y);
  if (a === undefined || b === undefined)
    return chosen.length === 1 ? <p className="text-xs text-ink-2">Choose one more to compare</p> : null;
  return (
    <ButtonLink
      to="/runs/compare"
      search={{ a: String(a), b: String(b) }}
      look="primary"
      icon={GitCompareArrows}
    >
      Compare {a} and {b}
    </ButtonLink>
  );
}

function filterOf({ q, pipeline, state, cause, since, until, backfill, sort }: Partial<Search>): RunFilter {
  return {
    ...(q && { search: q }),
    ...(pipeline && { pipeline }),
    ...(state && { state: state as RunState }),
    ...(cause && { cause: cause as Cause }),
    ...(since && { since: instantOf(since, Date.now()) }),
    ...(until && { until: instantOf(until, Date.now()) }),
    ...(backfill && { backfill: Number(backfill) }),
    ...(sort === "created" && { sort }),
  };
}
