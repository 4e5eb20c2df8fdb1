import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef } from "react";
import { count } from "../../format/numbers";
import { classes } from "../classes";
import { Duration } from "../Duration";
import { Status } from "../Status";
import { kindIcon, kindName } from "./kinds";
import { rowsOf, shownState, type GraphTask } from "./model";

interface TaskListProps {
  /** What it lists, for screen readers: "Tasks" unless given. */
  label?: string;
  tasks: GraphTask[];
  selected: string | null;
  onSelect: (task: string) => void;
}

/** Of so many tasks all rows exist, and the page scrolls; of more only those in sight, and the list scrolls. */
const PLAIN_MAX = 100;
const ROW_PX = 37;

/** The same as the graph, as a list: for screen readers, narrow windows, and whoever likes lists. */
export function TaskList(props: TaskListProps) {
  const { label = "Tasks", tasks, selected, onSelect } = props;
  if (tasks.length > PLAIN_MAX) return <LongList {...props} />;
  return (
    <ul aria-label={label} className="min-h-0 overflow-y-auto">
      {tasks.map((task) => (
        <li key={task.name} className="border-b">
          <TaskRow task={task} isSelected={task.name === selected} onSelect={onSelect} />
        </li>
      ))}
    </ul>
  );
}

function LongList({ label = "Tasks", tasks, selected, onSelect }: TaskListProps) {
  const scroll = useRef<HTMLUListElement>(null);
  const virtual = useVirtualizer({
    count: tasks.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => ROW_PX,
    getItemKey: (index) => tasks[index]?.name ?? index,
    overscan: 12,
  });
  const place = tasks.findIndex((task) => task.name === selected);
  const reveal = useRef(virtual.scrollToIndex);
  reveal.current = virtual.scrollToIndex;
  useEffect(() => {
    if (place >= 0) reveal.current(place, { align: "auto" });
  }, [place]);
  return (
    <ul
      ref={scroll}
      aria-label={label}
      className="relative max-h-[75vh] min-h-0 overflow-y-auto lg:max-h-none"
    >
      <li role="presentation" style={{ height: virtual.getTotalSize() }} />
      {virtual.getVirtualItems().map((item) => {
        const task = tasks[item.index];
        if (!task) return null;
        return (
          <li
            key={item.key}
            ref={virtual.measureElement}
            data-index={item.index}
            aria-posinset={item.index + 1}
            aria-setsize={tasks.length}
            className="absolute inset-x-0 top-0 border-b"
            style={{ transform: `translateY(${item.start}px)` }}
          >
            <TaskRow task={task} isSelected={item.index === place} onSelect={onSelect} />
          </li>
        );
      })}
    </ul>
  );
}

interface TaskRowProps {
  task: GraphTask;
  isSelected: boolean;
  onSelect: (task: string) => void;
}

function TaskRow({ task, isSelected, onSelect }: TaskRowProps) {
  const Icon = kindIcon(task.kind);
  const state = shownState(task.taskRun);
  const rows = rowsOf(task.taskRun, task.progress);
  return (
    <button
      type="button"
      aria-current={isSelected || undefined}
      onClick={() => onSelect(task.name)}
      className={classes(
        "flex w-full flex-wrap items-center gap-x-3 gap-y-0.5 px-4 py-2 text-left -outline-offset-2 hover:bg-hover sm:px-6",
        isSelected && "bg-accent-soft",
      )}
    >
      <Icon className="size-3.5 shrink-0 text-ink-2" aria-hidden />
      <span className="font-medium">{task.name}</span>
      <span className="text-xs text-ink-2">{kindName(task.kind ?? "unknown")}</span>
      <span className="min-w-0 grow basis-40 truncate text-xs text-ink-2">{task.summary}</span>
      {task.after.length > 0 && <span className="text-xs text-ink-3">after {task.after.join(", ")}</span>}
      {task.hook && (
        <span className="text-xs text-ink-3">after all tasks, {task.hook.replace("on_", "on ")}</span>
      )}
      {rows !== null && <span className="tabular text-xs text-ink-2">{count(rows)} rows written</span>}
      {task.taskRun?.started_at && (
        <span className="text-xs text-ink-2">
          <Duration from={task.taskRun.started_at} to={task.taskRun.ended_at} />
        </span>
      )}
      {state && <Status state={state} />}
      {task.mistake && <span className="basis-full text-xs text-fail">{task.mistake}</span>}
    </button>
  );
}
