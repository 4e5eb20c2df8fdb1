import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { List, Workflow, X } from "lucide-react";
import { useMemo, useState } from "react";
import type { Dataset } from "../../api/model";
import { lineageOptions } from "../../api/queries/datasets";
import { classes } from "../../components/classes";
import { EmptyState } from "../../components/EmptyState";
import { ErrorState } from "../../components/ErrorState";
import { FilterSelect } from "../../components/FilterSelect";
import { IconButton } from "../../components/IconButton";
import { SkeletonRows } from "../../components/SkeletonRows";
import { DRAWN_MAX } from "../../components/task-graph/layout";
import { TaskGraph } from "../../components/task-graph/TaskGraph";
import { TaskList } from "../../components/task-graph/TaskList";
import { Time } from "../../components/Time";
import { breakpoint, useWidth } from "../../components/use-breakpoint";
import { useUrlFilters } from "../../components/use-url-filters";
import { besides, graphWords, lineageTasks, type Beside } from "./lineage-tasks";

/** What a dataset is made from, and what from it; one column of it can be followed. */
export function LineagePart({ name, dataset }: { name: string; dataset: Dataset | undefined }) {
  const [{ column, view }, setSearch] = useUrlFilters<"column" | "view">();
  const [selected, setSelected] = useState<string | null>(null);
  const isNarrow = useWidth() < breakpoint("sm");
  const { data: graph, error, refetch } = useQuery(lineageOptions(name, column));
  const tasks = useMemo(() => (graph ? lineageTasks(graph) : []), [graph]);
  const isList = view ? view === "list" : isNarrow || tasks.length > DRAWN_MAX;
  const chosen = tasks.some((task) => task.name === selected) ? selected : null;

  if (error && !graph) return <ErrorState error={error} onRetry={() => void refetch()} />;
  return (
    <div className="flex min-h-0 grow flex-col lg:flex-row">
      <section aria-label="Datasets" className="flex min-h-96 min-w-0 grow flex-col">
        <div className="flex flex-wrap items-center gap-2 border-b px-4 py-1.5 sm:px-6">
          <div role="group" aria-label="View" className="flex rounded border p-0.5">
            {VIEWS.map(({ icon: Icon, label, value }) => (
              <button
                key={value}
                type="button"
                aria-pressed={isList === (value === "list")}
                onClick={() => setSearch({ view: value })}
                className={classes(
                  "flex h-6 items-center gap-1.5 rounded-sm px-2 text-xs",
                  isList === (value === "list")
                    ? "bg-accent-soft font-medium text-accent-strong"
                    : "text-ink-2 hover:text-ink",
                )}
              >
                <Icon className="size-3.5" aria-hidden />
                {label}
              </button>
            ))}
          </div>
          <FilterSelect
            label="Column"
            none="All columns"
            value={column}
            onValueChange={(next) => setSearch({ column: next })}
            options={(dataset?.schema ?? []).map((one) => ({ value: one.name, label: one.name }))}
          />
          {graph && <span className="text-xs text-ink-2">{graphWords(graph)}</span>}
        </div>
        <div className={classes("flex min-h-0 flex-col lg:grow", !isList && "h-[52vh] lg:h-auto")}>
          {!graph ? (
            <SkeletonRows />
          ) : graph.edges.length === 0 ? (
            <EmptyState
              icon={Workflow}
              title={column ? `${column} goes nowhere` : "Nothing is known around it"}
            >
              {column
                ? "No run made it from another column, or another one from it."
                : "Runs tell what they make from what; none has told of this dataset."}
            </EmptyState>
          ) : isList ? (
            <TaskList label="Datasets" tasks={tasks} selected={chosen} onSelect={setSelected} />
          ) : (
            <TaskGraph tasks={tasks} selected={chosen} onSelect={setSelected} says="is made from" />
          )}
        </div>
      </section>
      {graph && chosen && (
        <aside
          aria-label={`Dataset ${chosen}`}
          className="flex w-full shrink-0 flex-col border-t bg-canvas lg:min-h-0 lg:w-[400px] lg:overflow-y-auto lg:border-t-0 lg:border-l"
        >
          <header className="flex items-start gap-2 border-b px-4 py-2">
            <h2 className="min-w-0 grow font-semibold wrap-anywhere">
              {chosen === name ? (
                chosen
              ) : (
                <Link
                  to="/catalogue/dataset"
                  search={{ name: chosen, part: "lineage" }}
                  className="underline"
                >
                  {chosen}
                </Link>
              )}
            </h2>
            <IconButton icon={X} size="small" label="Close" onClick={() => setSelected(null)} />
          </header>
          {besides(graph, chosen).map((beside) => (
            <Way
              key={`${beside.isSource} ${beside.other} ${beside.pipeline} ${beside.task}`}
              beside={beside}
            />
          ))}
        </aside>
      )}
    </div>
  );
}

const VIEWS = [
  { icon: Workflow, label: "Graph", value: "graph" },
  { icon: List, label: "List", value: "list" },
] as const;

/** How one dataset becomes another: by which task, and which columns. */
function Way({ beside }: { beside: Beside }) {
  const { other, isSource, pipeline, task, run, at, columns } = beside;
  return (
    <section className="border-b px-4 py-2.5">
      <h3 className="font-medium wrap-anywhere">
        {isSource ? "From" : "To"} {other}
      </h3>
      <p className="text-xs text-ink-2">
        by{" "}
        {run === null ? (
          <span className="wrap-anywhere">
            {pipeline}/{task}, a job of others
          </span>
        ) : (
          <>
            <Link
              to="/pipelines/$name/$tab"
              params={{ name: pipeline, tab: "graph" }}
              search={{ task }}
              className="underline"
            >
              {pipeline}/{task}
            </Link>
            {", last in "}
            <Link to="/runs/$id" params={{ id: String(run) }} className="underline">
              run {run}
            </Link>
          </>
        )}
        {", "}
        <Time at={at} />
      </p>
      {columns.length > 0 && (
        <ul
          aria-label={`Columns ${isSource ? "from" : "to"} ${other}`}
          className="mt-1.5 flex flex-col gap-0.5 text-xs"
        >
          {columns.map((column) => (
            <li key={`${column.from} ${column.to}`} className="wrap-anywhere">
              {column.from === column.to ? column.to : `${column.from} → ${column.to}`}
              {column.how !== "copied" && <span className="ml-1.5 text-ink-3">{column.how}</span>}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
