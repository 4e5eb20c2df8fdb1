import { useQuery } from "@tanstack/react-query";
import { ChevronRight, RotateCcw } from "lucide-react";
import { useNavigate } from "@tanstack/react-router";
import type { TaskRun } from "../../../api/model";
import { messageOf } from "../../../api/error";
import type { Run } from "../../../api/model";
import { quarantineOptions, runTestsOptions, taskItemOptions } from "../../../api/queries/run-parts";
import { useRetryRun } from "../../../api/queries/runs";
import type { Course } from "../../../api/use-run-progress";
import { Button } from "../../../components/Button";
import { Duration } from "../../../components/Duration";
import { LogView } from "../../../components/log/LogView";
import { SkeletonRows } from "../../../components/SkeletonRows";
import { Status } from "../../../components/Status";
import { Tabs } from "../../../components/Tabs";
import { kindIcon, kindName } from "../../../components/task-graph/kinds";
import { shownState } from "../../../components/task-graph/model";
import { toast } from "../../../components/toasts";
import { useUrlFilters } from "../../../components/use-url-filters";
import type { TaskEntry } from "../../../format/pipeline-outline";
import { isOver } from "../../../format/status";
import { useAllowed } from "../../pipeline/use-allowed";
import { AttemptSelect } from "./AttemptSelect";
import { Files } from "./Files";
import { History } from "./History";
import { itemName } from "./item-name";
import { Items } from "./Items";
import { Overview } from "./Overview";
import { Quarantine } from "./Quarantine";
import { TaskError } from "./TaskError";
import { Tests } from "./Tests";

interface TaskPanelProps {
  run: Run;
  task: TaskRun;
  /** The task as the document of the run has it: null if it has it no more, undefined until that is known. */
  entry: TaskEntry | null | undefined;
  course: Course | null;
}

type Search = "item" | "attempt" | "line" | "part" | "task";

/** A task of a run, or an item of it: what went wrong, what it did, what it said. */
export function TaskPanel({ run, task, entry: known, course }: TaskPanelProps) {
  const entry = known ?? null;
  const [search, setSearch] = useUrlFilters<Search>();
  const item = search.item === undefined ? null : Number(search.item);
  const { data: found } = useQuery({
    ...taskItemOptions(run.id, task.task, item ?? 0),
    enabled: item !== null,
  });
  const { data: quarantine } = useQuery(quarantineOptions(run.id));
  const { data: results } = useQuery(runTestsOptions(run.id));
  const shown: TaskRun = item !== null && found ? found : task;
  const state = shownState(shown) ?? shown.state;
  const Icon = kindIcon(entry?.kind ?? null);
  const rejected = (quarantine?.items ?? []).filter((stream) => stream.task === task.task);
  const tests = (results?.items ?? []).filter(
    (test) => test.task === task.task && (item === null || test.task_run === shown.id),
  );
  const hasItems =
    item === null && ((task.items !== null && task.items !== undefined) || entry?.hasItems === true);
  const isUndecided = known === undefined && !search.part && !search.line && !hasItems;
  const part = search.part ?? firstPart(task, entry, hasItems, search.line);
  const set = (next: string) => setSearch({ part: next, ...(next !== "log" && { line: undefined }) });
  const isLive = !isOver(shown.state);
  const log = {
    run: run.id,
    task: task.task,
    ...(item !== null && { item }),
    ...(search.attempt && { attempt: Number(search.attempt) }),
  };

  const parts = [
    ...(hasItems
      ? [
          {
            value: "items",
            label: "Items",
            content: (
              <Items
                run={run.id}
                task={task}
                onOpen={(index) =>
                  setSearch({
                    task: task.task,
                    item: String(index),
                    part: undefined,
                    attempt: undefined,
                    line: undefined,
                  })
                }
              />
            ),
          },
        ]
      : []),
    {
      value: "overview",
      label: "Overview",
      content: <Overview run={run} task={shown} entry={entry} course={course} onPart={set} />,
    },
    {
      value: "log",
      label: "Log",
      content: (
        <LogView
          key={`${item ?? ""} ${search.attempt ?? ""}`}
          log={log}
          follows={isLive && !search.attempt ? shown.id : null}
          line={search.line ? Number(search.line) - 1 : null}
          onLineChange={(line) => setSearch({ task: task.task, part: "log", line: String(line + 1) })}
          startsAtEnd={shown.state === "failed"}
          empty={isLive ? "Lines show up here as the task writes them." : "The task wrote nothing."}
        />
      ),
    },
    ...(tests.length > 0
      ? [{ value: "tests", label: "Tests", content: <Tests task={task.task} tests={tests} /> }]
      : []),
    ...(rejected.length > 0
      ? [{ value: "rows", label: "Quarantine", content: <Quarantine run={run} streams={rejected} /> }]
      : []),
    { value: "files", label: "Files", content: <Files run={run} task={task} item={item} entry={entry} /> },
    { value: "history", label: "History", content: <History run={run.id} task={shown} /> },
  ];

  return (
    <section aria-label={`Task ${task.task}`} className="flex min-h-[70vh] min-w-0 grow flex-col lg:min-h-0">
      <header className="flex flex-col gap-2 px-4 pt-3 sm:px-6">
        <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
          <h2 className="flex min-w-0 items-center gap-2 text-base font-semibold">
            <Icon className="size-4 shrink-0 text-ink-2" aria-hidden />
            {item === null ? (
              <span className="wrap-anywhere">{task.task}</span>
            ) : (
              <>
                <button
                  type="button"
                  className="rounded-sm hover:text-accent"
                  onClick={() =>
                    setSearch({ item: undefined, attempt: undefined, line: undefined, part: "items" })
                  }
                >
                  {task.task}
                </button>
                <ChevronRight className="size-3.5 shrink-0 text-ink-3" aria-hidden />
                <span className="truncate">{itemName(found?.item, item)}</span>
              </>
            )}
          </h2>
          <Status state={state} badge />
          {entry?.kind && <span className="text-xs text-ink-2">{kindName(entry.kind)}</span>}
          {shown.started_at && (
            <span className="text-xs text-ink-2">
              <Duration from={shown.started_at} to={shown.ended_at} />
            </span>
          )}
          <span className="ml-auto flex items-center gap-2">
            {shown.attempt > 1 && part === "log" && (
              <AttemptSelect
                attempts={shown.attempt}
                value={search.attempt}
                onValueChange={(attempt) => setSearch({ attempt, line: undefined })}
              />
            )}
            {isOver(run.state) && item === null && <RetryTask run={run} task={task.task} />}
          </span>
        </div>
        {shown.error !== null &&
          shown.error !== undefined &&
          !(item === null && shown.state === "succeeded") && (
            <TaskError error={shown.error} state={shown.state} until={shown.until ?? null} />
          )}
      </header>
      <div className="flex min-h-0 grow flex-col [&>div]:flex [&>div]:min-h-0 [&>div]:grow [&>div]:flex-col [&_[role=tablist]]:shrink-0 [&_[role=tablist]]:px-4 sm:[&_[role=tablist]]:px-6 [&_[role=tabpanel][data-state=active]]:flex [&_[role=tabpanel]]:min-h-0 [&_[role=tabpanel][data-state=active]]:grow [&_[role=tabpanel]]:flex-col">
        {isUndecided ? (
          <SkeletonRows />
        ) : (
          <Tabs
            label={`Parts of ${task.task}`}
            value={parts.some((one) => one.value === part) ? part : "overview"}
            onValueChange={set}
            items={parts}
          />
        )}
      </div>
    </section>
  );
}

/** What is worth seeing first: figures of a sync, items of a task that has some, else the log. */
function firstPart(
  task: TaskRun,
  entry: TaskEntry | null,
  hasItems: boolean,
  line: string | undefined,
): string {
  if (line) return "log";
  if (hasItems) return "items";
  const isTalkative = entry?.kind === "command" && task.state !== "queued" && task.state !== "skipped";
  return isTalkative ? "log" : "overview";
}

function RetryTask({ run, task }: { run: Run; task: string }) {
  const retry = useRetryRun();
  const navigate = useNavigate();
  const denial = useAllowed(run.pipeline, "operator");
  return (
    <Button
      size="small"
      icon={RotateCcw}
      busy={retry.isPending}
      reason={denial}
      aria-label={`Run the task ${task} again`}
      onClick={() =>
        retry.mutate(
          { run: run.id, tasks: [task] },
          {
            onSuccess: (made) => void navigate({ to: "/runs/$id", params: { id: String(made.id) } }),
            onError: (error) => toast(messageOf(error), { tone: "fail" }),
          },
        )
      }
    >
      Run again
    </Button>
  );
}
