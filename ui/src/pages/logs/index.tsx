import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { RefreshCw, ScrollText } from "lucide-react";
import { useMemo, useState } from "react";
import type { LogLevel, RecentFilter, RecentLine } from "../../api/model-logs";
import { recentLinesOptions } from "../../api/queries/logs";
import { useLive } from "../../api/use-live";
import { Announcement } from "../../components/Announcement";
import { Button } from "../../components/Button";
import { DataTable } from "../../components/DataTable";
import { EmptyState } from "../../components/EmptyState";
import { FilterBar } from "../../components/FilterBar";
import { FilterSelect } from "../../components/FilterSelect";
import { PageHeader } from "../../components/PageHeader";
import { PipelineFilter } from "../../components/PipelineFilter";
import { SearchInput } from "../../components/SearchInput";
import { useWidth } from "../../components/use-breakpoint";
import { useUrlFilters } from "../../components/use-url-filters";
import { instantOf, SPANS } from "../../format/spans";
import { columnsWith } from "./columns";
import { placeOf } from "./place-of";

interface Search {
  q: string;
  level: string;
  pipeline: string;
  since: string;
}

const LEVELS: { value: LogLevel; label: string }[] = [
  { value: "error", label: "Errors" },
  { value: "info", label: "Every line" },
];
const TIMES = Object.entries(SPANS).map(([value, { label }]) => ({ value, label }));

export default function LogsPage() {
  const [{ q, level, pipeline, since }, setFilters] = useUrlFilters<keyof Search>();
  const filter = useMemo(() => filterOf({ q, level, pipeline, since }), [q, level, pipeline, since]);
  const { data, error, refetch, isFetching, dataUpdatedAt } = useQuery(recentLinesOptions(filter));
  const navigate = useNavigate();
  const isPhone = useWidth() === 0;
  const columns = useMemo(() => columnsWith(isPhone), [isPhone]);
  const [wentOnAt, setWentOnAt] = useState(0);
  useLive("runs", () => setWentOnAt(Date.now()));
  const again = () => void refetch();

  return (
    <div className="flex h-full flex-col">
      <PageHeader
        title="Logs"
        summary={
          data?.is_cut
            ? "The newest lines; what is older is in the logs of the runs"
            : TITLES[filter.level ?? "warn"]
        }
        actions={
          <Button icon={RefreshCw} busy={isFetching} onClick={again}>
            Look again
          </Button>
        }
      />
      <FilterBar>
        <SearchInput
          label="Search the lines"
          value={q ?? ""}
          onValueChange={(next) => setFilters({ q: next })}
          className="grow basis-48 sm:max-w-72"
        />
        <FilterSelect
          label="Level"
          none="Warnings and errors"
          value={level}
          onValueChange={(next) => setFilters({ level: next })}
          options={LEVELS}
        />
        <PipelineFilter value={pipeline} onValueChange={(next) => setFilters({ pipeline: next })} />
        <FilterSelect
          label="Time"
          value={since}
          onValueChange={(next) => setFilters({ since: next })}
          options={TIMES}
        />
      </FilterBar>
      {data && wentOnAt > dataUpdatedAt && (
        <Announcement onShow={again}>Runs went on: look again</Announcement>
      )}
      <DataTable
        label="Lines"
        columns={columns}
        rows={data?.items}
        rowKey={keyOf}
        rowHeight={isPhone ? 60 : 36}
        error={error}
        onRetry={again}
        onOpen={(line) => void navigate(placeOf(line))}
        empty={
          <EmptyState icon={ScrollText} title="No line is like that">
            {q || pipeline || since || level
              ? "Take away a filter, or look at a longer time."
              : "No task warned of anything, and none failed."}
          </EmptyState>
        }
      />
    </div>
  );
}

const TITLES: Record<LogLevel, string> = {
  info: "What tasks wrote lately",
  warn: "What tasks warned of lately, and what went wrong",
  error: "What went wrong lately",
};

function filterOf({ q, level, pipeline, since }: Partial<Search>): RecentFilter {
  return {
    level: level === "error" || level === "info" ? level : "warn",
    ...(q && { contains: q }),
    ...(pipeline && { pipeline }),
    ...(since && { since: instantOf(since, Date.now()) }),
  };
}

function keyOf({ run, task, item, attempt, number }: RecentLine): string {
  return JSON.stringify([run, task, item, attempt, number]);
}
