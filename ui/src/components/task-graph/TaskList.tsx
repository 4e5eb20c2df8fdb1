import { count } from "../../format/numbers";
import { sentence } from "../../format/status";
import { classes } from "../classes";
import { Duration } from "../Duration";
import { Status } from "../Status";
import { kindIcon } from "./kinds";
import { rowsOf, shownState, type GraphTask } from "./model";

interface TaskListProps {
  tasks: GraphTask[];
  selected: string | null;
  onSelect: (task: string) => void;
}

/** The same as the graph, as a list: for screen readers, narrow windows, and whoever likes lists. */
export function TaskList({ tasks, selected, onSelect }: TaskListProps) {
  return (
    <ul aria-label="Tasks" className="min-h-0 overflow-y-auto">
      {tasks.map((task) => {
        const Icon = kindIcon(task.kind);
        const state = shownState(task.taskRun);
        const rows = rowsOf(task.taskRun, task.progress);
        return (
          <li
            key={task.name}
            className="border-b [contain-intrinsic-size:auto_36px] [content-visibility:auto]"
          >
            <button
              type="button"
              aria-current={task.name === selected || undefined}
              onClick={() => onSelect(task.name)}
              className={classes(
                "flex w-full flex-wrap items-center gap-x-3 gap-y-0.5 px-4 py-2 text-left -outline-offset-2 hover:bg-hover sm:px-6",
                task.name === selected && "bg-accent-soft",
              )}
            >
              <Icon className="size-3.5 shrink-0 text-ink-2" aria-hidden />
              <span className="font-medium">{task.name}</span>
              <span className="text-xs text-ink-2">{sentence(task.kind ?? "unknown")}</span>
              <span className="min-w-0 grow basis-40 truncate text-xs text-ink-2">{task.summary}</span>
              {task.after.length > 0 && (
                <span className="text-xs text-ink-3">after {task.after.join(", ")}</span>
              )}
              {task.hook && (
                <span className="text-xs text-ink-3">after all tasks, {task.hook.replace("on_", "on ")}</span>
              )}
              {rows !== null && <span className="tabular text-xs text-ink-2">{count(rows)} rows</span>}
              {task.taskRun?.started_at && (
                <span className="text-xs text-ink-2">
                  <Duration from={task.taskRun.started_at} to={task.taskRun.ended_at} />
                </span>
              )}
              {state && <Status state={state} />}
              {task.mistake && <span className="basis-full text-xs text-fail">{task.mistake}</span>}
            </button>
          </li>
        );
      })}
    </ul>
  );
}
