import { Link } from "@tanstack/react-router";
import { Pencil, X } from "lucide-react";
import { Button } from "../../../components/Button";
import { ButtonLink } from "../../../components/ButtonLink";
import { Duration } from "../../../components/Duration";
import { IconButton } from "../../../components/IconButton";
import { Status } from "../../../components/Status";
import { kindIcon, KIND_WORDS } from "../../../components/task-graph/kinds";
import { rowsOf, shownState, type GraphTask } from "../../../components/task-graph/model";
import { Time } from "../../../components/Time";
import type { TaskEntry } from "../../../format/pipeline-outline";
import { count } from "../../../format/numbers";
import { TaskError } from "../../run/task/TaskError";

interface TaskSummaryProps {
  task: GraphTask;
  entry: TaskEntry;
  /** The run whose state is shown. */
  run: number | null;
  denial: string | undefined;
  onEdit: () => void;
  onClose: () => void;
}

/** A task of a pipeline in short, with what became of it in a run. */
export function TaskSummary({ task, entry, run, denial, onEdit, onClose }: TaskSummaryProps) {
  const Icon = kindIcon(task.kind);
  const { taskRun } = task;
  const state = shownState(taskRun);
  const rows = rowsOf(taskRun, task.progress);
  return (
    <div className="flex flex-col gap-4 p-4">
      <header className="flex items-center gap-2">
        <Icon className="size-4 shrink-0 text-ink-2" aria-hidden />
        <h2 className="min-w-0 grow text-base font-semibold wrap-anywhere">{task.name}</h2>
        <IconButton icon={X} label="Close" size="small" onClick={onClose} />
      </header>
      <p className="text-ink-2">
        {KIND_WORDS[task.kind ?? ""] ?? ""}.{" "}
        <span className="font-mono text-xs wrap-anywhere text-ink">{task.summary}</span>
      </p>
      <dl className="grid grid-cols-[auto_1fr] gap-x-6 gap-y-1.5">
        {task.after.length > 0 && (
          <>
            <dt className="text-ink-2">After</dt>
            <dd>
              {task.after.join(", ")}
              {task.when && <span className="text-ink-2"> ({task.when.replaceAll("_", " ")})</span>}
            </dd>
          </>
        )}
        {task.hook && (
          <>
            <dt className="text-ink-2">After</dt>
            <dd>
              all tasks, {task.hook === "on_failure" ? "if one of them failed" : "if none of them failed"}
            </dd>
          </>
        )}
        {state && (
          <>
            <dt className="text-ink-2">State</dt>
            <dd>
              <Status state={state} />
            </dd>
          </>
        )}
        {taskRun?.started_at && (
          <>
            <dt className="text-ink-2">Started</dt>
            <dd>
              <Time at={taskRun.started_at} />
            </dd>
            <dt className="text-ink-2">{taskRun.ended_at ? "Took" : "For"}</dt>
            <dd>
              <Duration from={taskRun.started_at} to={taskRun.ended_at} />
            </dd>
          </>
        )}
        {rows !== null && (
          <>
            <dt className="text-ink-2">Rows written</dt>
            <dd className="tabular">{count(rows)}</dd>
          </>
        )}
      </dl>
      {taskRun?.error !== null && taskRun?.error !== undefined && (
        <TaskError error={taskRun.error} state={taskRun.state} until={taskRun.until ?? null} />
      )}
      <div className="flex flex-wrap gap-2">
        {run !== null && taskRun && (
          <ButtonLink to="/runs/$id" params={{ id: String(run) }} search={{ task: task.name }}>
            Open in run {run}
          </ButtonLink>
        )}
        <Button icon={Pencil} reason={denial} onClick={onEdit}>
          Edit
        </Button>
      </div>
      <p className="text-xs text-ink-3">
        Line {entry.line} of the{" "}
        <Link to="." params={{ tab: "code" } as never} className="text-accent hover:underline">
          document
        </Link>
      </p>
    </div>
  );
}
