import { useQuery } from "@tanstack/react-query";
import { ListTree, Search, Workflow } from "lucide-react";
import { useEffect, useMemo } from "react";
import type { TaskRun } from "../../api/model";
import type { Run } from "../../api/model";
import { versionOptions } from "../../api/queries/documents";
import type { Course } from "../../api/use-run-progress";
import { classes } from "../../components/classes";
import { EmptyState } from "../../components/EmptyState";
import { FilterSelect } from "../../components/FilterSelect";
import { SearchInput } from "../../components/SearchInput";
import { SkeletonRows } from "../../components/SkeletonRows";
import { loadCanvas } from "../../components/task-graph/load-canvas";
import { TaskGraph } from "../../components/task-graph/TaskGraph";
import { useUrlFilters } from "../../components/use-url-filters";
import { plural } from "../../format/numbers";
import { look } from "../../format/status";
import { useOutline } from "../pipeline/use-outline";
import { graphTasks } from "../pipeline/graph/graph-tasks";
import { Gantt } from "./gantt/Gantt";
import { NoSuchTask } from "./task/NoSuchTask";
import { TaskPanel } from "./task/TaskPanel";

interface RunBodyProps {
  run: Run;
  tasks: TaskRun[];
  courses: Map<number, Course>;
}

type Search = "view" | "task" | "item" | "attempt" | "line" | "part" | "from" | "to" | "q" | "state";
/** From so many tasks on, they can be searched. */
const MANY = 12;

/** The tasks of a run, and the one that is looked at. */
export function RunBody({ run, tasks, courses }: RunBodyProps) {
  const [search, setSearch] = useUrlFilters<Search>();
  const { data: document, isError: isGone } = useQuery(versionOptions(run.pipeline, run.version));
  const outline = useOutline(document?.text);
  const worthy = useMemo(() => worth(tasks), [tasks]);
  const name = search.task ?? worthy;
  const task = useMemo(() => tasks.find((one) => one.task === name), [tasks, name]);
  const entry = useMemo(() => outline?.tasks.find((one) => one.name === name) ?? null, [outline, name]);
  const isGraph = search.view === "graph";
  useEffect(() => {
    if (isGraph) void loadCanvas();
  }, [isGraph]);

  const shown = useMemo(() => {
    const text = search.q?.toLowerCase() ?? "";
    return tasks.filter(
      (one) =>
        (!text || one.task.toLowerCase().includes(text)) && (!search.state || one.state === search.state),
    );
  }, [tasks, search.q, search.state]);
  const graph = useMemo(
    () => (outline && isGraph ? graphTasks(outline.tasks, tasks, courses) : []),
    [outline, isGraph, tasks, courses],
  );
  const select = (next: string | null) => {
    if (next && next !== name)
      setSearch({ task: next, item: undefined, attempt: undefined, line: undefined, part: undefined });
    else if (next) setSearch({ task: next });
  };
  const range = search.from && search.to ? { from: Number(search.from), to: Number(search.to) } : null;

  return (
    <div className="flex min-h-0 grow flex-col lg:flex-row">
      <section
        aria-label="Tasks"
        className="flex min-h-0 flex-col border-b lg:w-[46%] lg:shrink-0 lg:border-r lg:border-b-0"
      >
        <div className="flex flex-wrap items-center gap-2 border-b px-4 py-1.5 sm:px-6">
          <div role="group" aria-label="View" className="flex rounded border p-0.5">
            <ViewButton
              icon={ListTree}
              label="Timeline"
              isOn={!isGraph}
              onClick={() => setSearch({ view: undefined })}
            />
            <ViewButton
              icon={Workflow}
              label="Graph"
              isOn={isGraph}
              onClick={() => setSearch({ view: "graph" })}
            />
          </div>
          {!isGraph && tasks.length > MANY && (
            <>
              <SearchInput
                label={`Search ${plural(tasks.length, "task")}`}
                value={search.q ?? ""}
                onValueChange={(q) => setSearch({ q })}
                className="min-w-28 grow basis-28"
              />
              <FilterSelect
                label="State"
                value={search.state}
                onValueChange={(state) => setSearch({ state })}
                options={states(tasks)}
              />
            </>
          )}
          {(isGraph || tasks.length <= MANY) && (
            <span className="ml-auto text-xs text-ink-2">{plural(tasks.length, "task")}</span>
          )}
        </div>
        <div
          className={classes(
            "flex min-h-0 flex-col lg:grow",
            isGraph && "h-80 lg:h-auto",
            !isGraph && "max-h-[45vh] lg:max-h-none",
          )}
        >
          {isGraph ? (
            outline ? (
              <TaskGraph tasks={graph} selected={name ?? null} onSelect={select} />
            ) : (
              <GraphToCome isGone={isGone} />
            )
          ) : shown.length > 0 ? (
            <Gantt
              run={run}
              tasks={shown}
              courses={courses}
              selected={name ?? null}
              onSelect={select}
              range={range}
              onRangeChange={(next) =>
                setSearch({
                  from: next ? String(Math.round(next.from)) : undefined,
                  to: next ? String(Math.round(next.to)) : undefined,
                })
              }
            />
          ) : (
            <EmptyState icon={Search} title="No task fits">
              {tasks.length > 0 ? "Other words or another state find some." : "This run has no tasks."}
            </EmptyState>
          )}
        </div>
      </section>
      {search.task !== undefined && !task && <NoSuchTask run={run.id} task={search.task} />}
      {task && (
        <TaskPanel
          key={task.id}
          run={run}
          task={task}
          entry={outline || isGone ? entry : undefined}
          course={courses.get(task.id) ?? null}
        />
      )}
    </div>
  );
}

function GraphToCome({ isGone }: { isGone: boolean }) {
  if (!isGone) return <SkeletonRows />;
  return (
    <EmptyState icon={Workflow} title="There is no graph of this run">
      Its document could not be read. The timeline has all of its tasks.
    </EmptyState>
  );
}

interface ViewButtonProps {
  icon: typeof Workflow;
  label: string;
  isOn: boolean;
  onClick: () => void;
}

function ViewButton({ icon: Icon, label, isOn, onClick }: ViewButtonProps) {
  return (
    <button
      type="button"
      aria-pressed={isOn}
      onClick={onClick}
      className={classes(
        "flex h-6 items-center gap-1.5 rounded-sm px-2 text-xs",
        isOn ? "bg-accent-soft font-medium text-accent-strong" : "text-ink-2 hover:text-ink",
      )}
    >
      <Icon className="size-3.5" aria-hidden />
      {label}
    </button>
  );
}

/** The task that is most worth a look: one that failed, else one at work, else the last that ended. */
function worth(tasks: TaskRun[]): string | undefined {
  const by = (state: string) => tasks.find((task) => task.state === state)?.task;
  const worst = by("failed") ?? by("running") ?? by("stopping") ?? by("waiting");
  if (worst !== undefined) return worst;
  let [last, endedAt] = [tasks[0], 0];
  for (const task of tasks) {
    const at = task.ended_at && task.state !== "skipped" ? Date.parse(task.ended_at) : 0;
    if (at > endedAt) [last, endedAt] = [task, at];
  }
  return last?.task;
}

function states(tasks: TaskRun[]) {
  const counts = new Map<string, number>();
  for (const { state } of tasks) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [...counts]
    .sort(([a], [b]) => look(a).order - look(b).order)
    .map(([value, count]) => ({ value, label: `${look(value).word} (${count})` }));
}
