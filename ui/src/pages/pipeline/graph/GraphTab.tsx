import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { List, Pencil, Plus, Workflow, Check } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import { pipelineRunsOptions } from "../../../api/queries/run-parts";
import { runTasksOptions } from "../../../api/queries/runs";
import { useLiveRun } from "../../../api/use-live";
import { useRunProgress } from "../../../api/use-run-progress";
import { Button } from "../../../components/Button";
import { classes } from "../../../components/classes";
import { ConfirmDialog } from "../../../components/ConfirmDialog";
import { EmptyState } from "../../../components/EmptyState";
import { Callout } from "../../../components/Callout";
import { Menu } from "../../../components/Menu";
import { Select } from "../../../components/Select";
import { SkeletonRows } from "../../../components/SkeletonRows";
import { kindIcon, kindName, KIND_WORDS } from "../../../components/task-graph/kinds";
import { DRAWN_MAX } from "../../../components/task-graph/layout";
import { loadCanvas } from "../../../components/task-graph/load-canvas";
import { TaskGraph } from "../../../components/task-graph/TaskGraph";
import { TaskList } from "../../../components/task-graph/TaskList";
import { toast } from "../../../components/toasts";
import { useUrlFilters } from "../../../components/use-url-filters";
import { breakpoint, useWidth } from "../../../components/use-breakpoint";
import { exact } from "../../../format/durations";
import { look } from "../../../format/status";
import { KINDS, type Kind, type TaskEntry } from "../../../format/pipeline-outline";
import { withEdge, withNewTask, withoutEdge, withoutTask } from "../../../format/pipeline-yaml";
import { mistakesByTask } from "../places";
import { useAllowed } from "../use-allowed";
import type { Draft } from "../use-draft";
import { useMistakes } from "../use-mistakes";
import { useDraftOutline } from "../use-outline";
import { graphTasks } from "./graph-tasks";
import { blankTask, freeName } from "./new-task";
import { TaskEditor } from "./TaskEditor";
import { TaskSummary } from "./TaskSummary";

interface GraphTabProps {
  pipeline: string;
  draft: Draft;
}

const NONE: TaskEntry[] = [];

/** The tasks of a pipeline with the state of a run, and a way to change them. */
export default function GraphTab({ pipeline, draft }: GraphTabProps) {
  const [search, setSearch] = useUrlFilters<"task" | "run" | "view" | "edit">();
  const aside = useRef<HTMLElement>(null);
  const [removing, setRemoving] = useState<string | null>(null);
  const denial = useAllowed(pipeline, "editor");
  const isNarrow = useWidth() < breakpoint("sm");
  const isEditing = (search.edit === "yes" || draft.isDirty) && denial === undefined;

  const { data: runs } = useInfiniteQuery(pipelineRunsOptions(pipeline));
  const known = runs?.pages.flatMap((page) => page.items) ?? [];
  const chosen = isEditing ? null : search.run ? Number(search.run) : (known[0]?.id ?? null);
  const { data: taskRuns } = useQuery({ ...runTasksOptions(chosen ?? 0), enabled: chosen !== null });
  const courses = useRunProgress(chosen, taskRuns?.items);

  const outline = useDraftOutline(draft.text, isEditing);
  const entries = outline?.tasks ?? NONE;
  const isList = search.view ? search.view === "list" : isNarrow || entries.length > DRAWN_MAX;
  useEffect(() => {
    if (search.view === "graph") void loadCanvas();
  }, [search.view]);
  const { mistakes, isChecking } = useMistakes(pipeline, draft.text, isEditing && draft.isDirty);
  const tasks = useMemo(() => {
    const wrong = mistakesByTask(mistakes, entries);
    const shown = graphTasks(entries, chosen === null ? [] : taskRuns?.items, courses);
    return shown.map((task) => ({ ...task, mistake: wrong.get(task.name) }));
  }, [entries, chosen, taskRuns, courses, mistakes]);
  const selected = tasks.find((task) => task.name === search.task) ?? null;
  const entry = entries.find((task) => task.name === search.task) ?? null;
  const select = (task: string | null) => {
    setSearch({ task: task ?? undefined });
    if (task && isNarrow) setTimeout(() => aside.current?.scrollIntoView({ block: "start" }));
  };

  const add = (kind: Kind) => {
    const name = freeName(
      kind,
      entries.map((task) => task.name),
    );
    // one more after the task that is chosen, or on its own
    const after = entry && !entry.hook ? [entry.name] : [];
    draft.change(withNewTask(draft.text, name, { ...blankTask(kind), ...(after.length > 0 && { after }) }));
    select(name);
  };
  const edit = {
    onConnect: (from: string, to: string) => draft.change(withEdge(draft.text, from, to)),
    onDisconnect: (from: string, to: string) => draft.change(withoutEdge(draft.text, from, to)),
    onRemove: setRemoving,
  };
  const waiting = tasks
    .filter((task) => removing !== null && task.after.includes(removing))
    .map((task) => task.name);
  const top = mistakes.filter((mistake) => ![...mistakesByTask([mistake], entries).keys()].length);

  if (!outline) return <SkeletonRows />;
  if (outline.problem !== null)
    return (
      <div className="p-4 sm:p-6">
        <Callout tone="fail" title="The document is not YAML, so there is no graph of it">
          {outline.problem}
        </Callout>
      </div>
    );
  return (
    <div className="flex min-h-0 grow flex-col lg:flex-row">
      {chosen !== null && <Follow run={chosen} />}
      <section aria-label="Tasks" className="flex min-h-96 min-w-0 grow flex-col">
        <div className="flex flex-wrap items-center gap-2 border-b px-4 py-1.5 sm:px-6">
          <div role="group" aria-label="View" className="flex rounded border p-0.5">
            {[
              { icon: Workflow, label: "Graph", view: "graph" },
              { icon: List, label: "List", view: "list" },
            ].map(({ icon: Icon, label, view }) => (
              <button
                key={view}
                type="button"
                aria-pressed={isList === (view === "list")}
                onClick={() => setSearch({ view })}
                className={classes(
                  "flex h-6 items-center gap-1.5 rounded-sm px-2 text-xs",
                  isList === (view === "list")
                    ? "bg-accent-soft font-medium text-accent-strong"
                    : "text-ink-2 hover:text-ink",
                )}
              >
                <Icon className="size-3.5" aria-hidden />
                {label}
              </button>
            ))}
          </div>
          {!isEditing && known.length > 0 && (
            <Select
              aria-label="Run that is shown"
              className="w-auto max-w-56 [&>select]:h-7 [&>svg]:top-2"
              value={search.run ?? ""}
              onValueChange={(run) => setSearch({ run })}
              placeholder={`Latest run, #${known[0]?.id}`}
              options={known.slice(1, 20).map((run) => ({
                value: String(run.id),
                label: `#${run.id} ${look(run.state).word.toLowerCase()}, ${exact(Date.parse(run.created_at)).slice(5, 16)}`,
              }))}
            />
          )}
          <span className="ml-auto flex items-center gap-2">
            {isEditing ? (
              <>
                <Menu
                  trigger={
                    <Button size="small" look="primary" icon={Plus}>
                      Add a task
                    </Button>
                  }
                  items={KINDS.map((kind) => ({
                    icon: kindIcon(kind),
                    label: (
                      <>
                        {kindName(kind)}
                        <span className="block text-xs text-ink-3">{KIND_WORDS[kind]}</span>
                      </>
                    ),
                    onSelect: () => add(kind),
                  }))}
                />
                {!draft.isDirty && (
                  <Button size="small" icon={Check} onClick={() => setSearch({ edit: undefined })}>
                    Done
                  </Button>
                )}
              </>
            ) : (
              <Button size="small" icon={Pencil} reason={denial} onClick={() => setSearch({ edit: "yes" })}>
                Edit
              </Button>
            )}
          </span>
        </div>
        {isEditing && draft.isDirty && mistakes.length > 0 && (
          <div role="status" className="border-b px-4 py-2 sm:px-6">
            <Callout
              tone="fail"
              title={mistakes.length === 1 ? "One mistake" : `${mistakes.length} mistakes`}
            >
              {(top.length > 0 ? top : mistakes)
                .slice(0, 3)
                .map(({ line, message, advice }) => `Line ${line}: ${message} ${advice}`)
                .join("\n")}
            </Callout>
          </div>
        )}
        {isEditing && !isList && (
          <p className="border-b px-4 py-1 text-xs text-ink-2 sm:px-6">
            Pull from the dot at the right of a task to another that has to wait for it; Delete takes away
            what is chosen.
            {isChecking && draft.isDirty ? " Checking." : ""}
          </p>
        )}
        <div className={classes("flex min-h-0 flex-col lg:grow", !isList && "h-[52vh] lg:h-auto")}>
          {tasks.length === 0 ? (
            <EmptyState icon={Workflow} title="This pipeline has no tasks">
              {isEditing ? "Add the first one." : "Edit it to add one."}
            </EmptyState>
          ) : isList ? (
            <TaskList tasks={tasks} selected={search.task ?? null} onSelect={select} />
          ) : (
            <TaskGraph
              tasks={tasks}
              selected={search.task ?? null}
              onSelect={select}
              {...(isEditing && { edit })}
            />
          )}
        </div>
      </section>
      {selected && entry && (
        <aside
          ref={aside}
          aria-label={`Task ${selected.name}`}
          className="flex w-full shrink-0 scroll-mt-2 flex-col border-t bg-canvas lg:min-h-0 lg:w-[400px] lg:overflow-y-auto lg:border-t-0 lg:border-l"
        >
          {isEditing ? (
            <TaskEditor
              key={`${entry.name} ${draft.redo ? "back" : ""}`}
              entry={entry}
              tasks={tasks}
              draft={draft}
              connections={outline.connections}
              onRenamed={select}
              onRemove={() => setRemoving(entry.name)}
              onClose={() => select(null)}
            />
          ) : (
            <TaskSummary
              task={selected}
              entry={entry}
              run={chosen}
              denial={denial}
              onEdit={() => setSearch({ edit: "yes" })}
              onClose={() => select(null)}
            />
          )}
        </aside>
      )}
      <ConfirmDialog
        open={removing !== null}
        onOpenChange={() => setRemoving(null)}
        title={`Remove the task ${removing ?? ""}?`}
        action="Remove it"
        onConfirm={async () => {
          if (removing === null) return;
          const before = draft.text;
          draft.change(withoutTask(before, removing));
          select(null);
          toast(`The task ${removing} is removed.`, {
            action: { label: "Undo", run: () => draft.change(before) },
          });
        }}
      >
        {waiting.length > 0 && `${waiting.join(", ")} will no longer wait for it. `}
        Nothing counts before you save.
      </ConfirmDialog>
    </div>
  );
}

function Follow({ run }: { run: number }) {
  useLiveRun(run);
  return null;
}
