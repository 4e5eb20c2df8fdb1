import { Link, useNavigate } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef, useState, type KeyboardEvent } from "react";
import type { Run, TaskState } from "../../../api/model";
import { classes } from "../../../components/classes";
import { focusSoon } from "../../../components/focus-soon";
import { Status } from "../../../components/Status";
import { TONE_FILL, TONE_ICONS, TONE_TEXT } from "../../../components/status-icons";
import { duration, exact } from "../../../format/durations";
import { look } from "../../../format/status";
import { cellState, gridOf, secondsOf } from "./grid";

interface RunGridProps {
  /** The newest first, with their tasks. */
  runs: Run[];
  hasMore: boolean;
  isLoadingMore: boolean;
  onMore: () => void;
}

const COLUMN_PX = 28;
const ROW_PX = 30;
const BARS_PX = 88;
const LEAST = 0.06;

/** Tasks down, runs across, the newest at the left; above each run how long it took. Only cells in sight exist. */
export function RunGrid({ runs, hasMore, isLoadingMore, onMore }: RunGridProps) {
  const scroll = useRef<HTMLDivElement>(null);
  const navigate = useNavigate();
  const [active, setActive] = useState({ row: -1, column: 0 });
  const columns = useVirtualizer({
    horizontal: true,
    count: runs.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => COLUMN_PX,
    getItemKey: (index) => runs[index]?.id ?? index,
    overscan: 4,
  });
  const shown = columns.getVirtualItems();
  const { names, cells } = useMemo(() => gridOf(runs), [runs]);
  const rows = useVirtualizer({
    count: names.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => ROW_PX,
    overscan: 10,
    scrollMargin: BARS_PX,
  });
  const last = shown.at(-1)?.index ?? 0;
  useEffect(() => {
    if (hasMore && !isLoadingMore && last >= runs.length - 8) onMore();
  }, [hasMore, isLoadingMore, last, runs.length, onMore]);
  const longest = Math.max(1e-9, ...shown.map(({ index }) => secondsOf(runs[index]) ?? 0));

  const move = (event: KeyboardEvent) => {
    const [down, right] = STEPS[event.key] ?? [];
    if (down === undefined || right === undefined) return;
    event.preventDefault();
    const row = Math.min(Math.max(active.row + down, -1), names.length - 1);
    const column = Math.min(Math.max(active.column + right, 0), runs.length - 1);
    setActive({ row, column });
    columns.scrollToIndex(column);
    if (row >= 0) rows.scrollToIndex(row);
    focusSoon(() => scroll.current?.querySelector<HTMLElement>(`[data-cell="${row},${column}"]`));
  };
  const cellProps = (row: number, column: number) => ({
    "data-cell": `${row},${column}`,
    tabIndex: active.row === row && active.column === column ? 0 : -1,
    onFocus: () => setActive({ row, column }),
  });

  return (
    <div ref={scroll} className="min-h-0 grow overflow-auto" onKeyDown={move}>
      <div
        role="grid"
        aria-label="Tasks by run"
        aria-rowcount={names.length + 1}
        aria-colcount={runs.length + 1}
        className="relative"
        style={{
          width: `calc(var(--names) + ${columns.getTotalSize() + 16}px)`,
          ["--names" as string]: "clamp(120px, 24vw, 260px)",
        }}
      >
        <div role="row" className="sticky top-0 z-20 flex border-b bg-canvas" style={{ height: BARS_PX }}>
          <div
            role="columnheader"
            className="sticky left-0 z-10 flex w-(--names) shrink-0 flex-col justify-between bg-canvas py-2 pl-4 text-xs text-ink-2 sm:pl-6"
          >
            <span className="tabular">{longest > 1e-6 ? duration(longest * 1000) : ""}</span>
            <span className="pb-0.5">Task</span>
          </div>
          {shown.map(({ index, start }) => {
            const run = runs[index];
            if (!run) return null;
            const { tone, word } = look(run.state);
            const seconds = secondsOf(run);
            const took = seconds === null ? "" : `, ${duration(seconds * 1000)}`;
            const text = `Run ${run.id}: ${word.toLowerCase()}${took}, ${exact(Date.parse(run.created_at))}`;
            return (
              <div
                key={run.id}
                role="columnheader"
                className="absolute top-0"
                style={{ left: `calc(var(--names) + ${start}px)`, width: COLUMN_PX, height: BARS_PX }}
              >
                <Link
                  to="/runs/$id"
                  params={{ id: String(run.id) }}
                  title={text}
                  aria-label={text}
                  {...cellProps(-1, index)}
                  className="group flex h-full flex-col items-center justify-end gap-0.5 rounded-sm px-1 pt-2 pb-0.5 -outline-offset-2"
                >
                  <span
                    className={classes(
                      "w-3.5 rounded-t-[3px] group-hover:brightness-75",
                      TONE_FILL[tone],
                      tone === "run" && "animate-slow-pulse",
                    )}
                    style={{ height: `${Math.round(Math.max(LEAST, (seconds ?? 0) / longest) * 100)}%` }}
                  />
                  <span className="tabular text-[10px] leading-3 text-ink-3">{short(run.id)}</span>
                </Link>
              </div>
            );
          })}
        </div>
        <div role="rowgroup" className="relative" style={{ height: rows.getTotalSize() }}>
          {rows.getVirtualItems().map((row) => {
            const name = names[row.index] ?? "";
            return (
              <div
                key={name}
                role="row"
                className="absolute inset-x-0 flex border-b hover:bg-hover"
                style={{ height: ROW_PX, transform: `translateY(${row.start - BARS_PX}px)` }}
              >
                <div
                  role="rowheader"
                  title={name}
                  className="sticky left-0 z-10 flex w-(--names) shrink-0 items-center bg-canvas pr-2 pl-4 sm:pl-6"
                >
                  <span className="truncate">{name}</span>
                </div>
                {shown.map(({ index, start }) => {
                  const run = runs[index];
                  const task = run && cells.get(run.id)?.get(name);
                  if (!run || !task) return null;
                  return (
                    <div
                      key={run.id}
                      role="gridcell"
                      className="absolute"
                      style={{ left: `calc(var(--names) + ${start}px)`, width: COLUMN_PX }}
                    >
                      <Cell
                        run={run}
                        task={task}
                        props={cellProps(row.index, index)}
                        onOpen={() =>
                          void navigate({
                            to: "/runs/$id",
                            params: { id: String(run.id) },
                            search: { task: name },
                          })
                        }
                      />
                    </div>
                  );
                })}
              </div>
            );
          })}
        </div>
      </div>
      <div className="sticky left-0 flex flex-wrap gap-4 px-4 py-3 text-xs sm:px-6">
        {["succeeded", "failed", "running", "queued", "skipped", "cancelled"].map((state) => (
          <Status key={state} state={state} />
        ))}
      </div>
    </div>
  );
}

const STEPS: Record<string, [down: number, right: number]> = {
  ArrowDown: [1, 0],
  ArrowUp: [-1, 0],
  ArrowRight: [0, 1],
  ArrowLeft: [0, -1],
  PageDown: [10, 0],
  PageUp: [-10, 0],
};

interface CellProps {
  run: Run;
  task: TaskState;
  props: { "data-cell": string; tabIndex: number; onFocus: () => void };
  onOpen: () => void;
}

/** What became of a task in a run. */
function Cell({ run, task, props, onOpen }: CellProps) {
  const { tone, word } = look(cellState(task));
  const Icon = TONE_ICONS[tone];
  const took =
    task.started_at && task.ended_at
      ? `, ${duration(Date.parse(task.ended_at) - Date.parse(task.started_at))}`
      : "";
  const text = `${task.task} in run ${run.id}: ${word.toLowerCase()}${took}`;
  return (
    <button
      type="button"
      title={text}
      aria-label={text}
      {...props}
      onClick={onOpen}
      className="flex h-[29px] w-full items-center justify-center rounded-sm -outline-offset-2 hover:brightness-75"
    >
      <Icon
        className={classes("size-4", TONE_TEXT[tone], tone === "run" && "animate-slow-pulse")}
        strokeWidth={2.25}
        aria-hidden
      />
    </button>
  );
}

/** The last digits of a long number. */
function short(id: number): string {
  const text = String(id);
  return text.length > 4 ? `…${text.slice(-3)}` : text;
}
