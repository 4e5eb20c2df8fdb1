import { useVirtualizer } from "@tanstack/react-virtual";
import { RotateCcw, ZoomIn, ZoomOut } from "lucide-react";
import { useEffect, useRef, useState, type KeyboardEvent, type PointerEvent } from "react";
import type { Course } from "../../../api/use-run-progress";
import type { Run, TaskRun } from "../../../api/model";
import { classes } from "../../../components/classes";
import { focusSoon } from "../../../components/focus-soon";
import { IconButton } from "../../../components/IconButton";
import { shownState } from "../../../components/task-graph/model";
import { breakpoint, useWidth } from "../../../components/use-breakpoint";
import { useNow } from "../../../components/use-now";
import { duration, elapsed } from "../../../format/durations";
import { compact } from "../../../format/numbers";
import { isOver } from "../../../format/status";
import { GanttRow } from "./GanttRow";
import { spanOf, ticksOf, zoomed, type Span } from "./scale";

interface GanttProps {
  run: Run;
  tasks: TaskRun[];
  courses: Map<number, Course>;
  selected: string | null;
  onSelect: (task: string) => void;
  /** The part of time that is shown; all of it for null. */
  range: Span | null;
  onRangeChange: (range: Span | null) => void;
}

const ROW_PX = 30;

/** The tasks of a run on a common scale of time. Only the rows in sight exist; arrow keys walk over them. */
export function Gantt({ run, tasks, courses, selected, onSelect, range, onRangeChange }: GanttProps) {
  const scroll = useRef<HTMLDivElement>(null);
  const isLive = !isOver(run.state);
  const ticking = useNow(isLive ? 1_000 : 3_600_000);
  const now = isLive ? Math.max(ticking, Date.now() - 1_000) : ticking;
  const whole = spanOf(tasks, run.created_at, now);
  const span = range ?? whole;
  // beside the panel of a task there is little room for them
  const isNarrow = useWidth() < breakpoint("sm");
  const ticks = ticksOf(span, whole.from, isNarrow ? 2 : 3);
  const virtual = useVirtualizer({
    count: tasks.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => ROW_PX,
    getItemKey: (index) => tasks[index]?.id ?? index,
    overscan: 12,
  });
  const place = tasks.findIndex((task) => task.task === selected);
  const [active, setActive] = useState(Math.max(0, place));
  const reveal = useRef(virtual.scrollToIndex);
  reveal.current = virtual.scrollToIndex;
  useEffect(() => {
    if (place < 0) return;
    setActive(place);
    reveal.current(place, { align: "auto" });
  }, [place]);

  const walk = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1, PageDown: 15, PageUp: -15, Home: -1e9, End: 1e9 }[
      event.key
    ];
    if (step === undefined) {
      const task = tasks[active];
      if ((event.key === "Enter" || event.key === " ") && task) {
        event.preventDefault();
        onSelect(task.task);
      }
      return;
    }
    event.preventDefault();
    const next = Math.min(Math.max(active + step, 0), tasks.length - 1);
    setActive(next);
    virtual.scrollToIndex(next, { align: "auto" });
    focusSoon(() => scroll.current?.querySelector<HTMLElement>(`[data-place="${next}"]`));
  };

  return (
    <div className="flex min-h-0 grow flex-col">
      <div className="flex h-8 shrink-0 items-stretch border-b">
        <div
          className="flex w-[40%] max-w-72 min-w-32 shrink-0 items-center gap-0.5 pl-2 sm:pl-4"
          role="group"
          aria-label="Scale"
        >
          <IconButton
            icon={ZoomIn}
            label="Zoom in"
            size="small"
            onClick={() => onRangeChange(zoomed(span, whole, 0.5))}
          />
          <IconButton
            icon={ZoomOut}
            label="Zoom out"
            size="small"
            reason={range ? undefined : "All of it is shown."}
            onClick={() => onRangeChange(zoomed(span, whole, 2))}
          />
          {range && (
            <IconButton icon={RotateCcw} label="Show all" size="small" onClick={() => onRangeChange(null)} />
          )}
        </div>
        <Axis ticks={ticks} span={span} onRangeChange={onRangeChange} />
      </div>
      <div ref={scroll} className="min-h-0 grow overflow-y-auto">
        <div
          role="listbox"
          aria-label="Tasks over time"
          aria-orientation="vertical"
          className="relative"
          style={{ height: virtual.getTotalSize() }}
          onKeyDown={walk}
        >
          {virtual.getVirtualItems().map((item) => {
            const task = tasks[item.index];
            if (!task) return null;
            const course = courses.get(task.id);
            return (
              <GanttRow
                key={item.key}
                place={item.index}
                count={tasks.length}
                start={item.start}
                height={ROW_PX}
                name={task.task}
                state={shownState(task) ?? task.state}
                items={task.items ?? null}
                attempt={task.failed > 0 ? task.failed + (task.state === "failed" ? 0 : 1) : null}
                startedAt={task.started_at ?? null}
                endedAt={task.ended_at ?? null}
                note={course ? `${compact(course.progress.rows_per_second)} rows/s` : null}
                span={span}
                ticks={ticks}
                // what has ended looks the same at any time
                now={task.ended_at || !task.started_at ? 0 : now}
                isSelected={item.index === place}
                isActive={item.index === active}
                onSelect={onSelect}
              />
            );
          })}
        </div>
      </div>
      <span className="sr-only" role="status">
        {isLive ? `Running for ${elapsed(now - whole.from)}` : `Took ${duration(whole.to - whole.from)}`}
      </span>
    </div>
  );
}

interface AxisProps {
  ticks: { at: number; place: number }[];
  span: Span;
  onRangeChange: (range: Span) => void;
}

const DRAG_MIN = 0.02;

/** The scale of time; pulling over a part of it shows that part alone. */
function Axis({ ticks, span, onRangeChange }: AxisProps) {
  const [drag, setDrag] = useState<{ from: number; to: number } | null>(null);
  const part = (event: PointerEvent) => {
    const box = event.currentTarget.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  };
  const end = () => {
    if (drag && Math.abs(drag.to - drag.from) > DRAG_MIN) {
      const [from, to] = [Math.min(drag.from, drag.to), Math.max(drag.from, drag.to)];
      const size = span.to - span.from;
      onRangeChange({ from: span.from + from * size, to: span.from + to * size });
    }
    setDrag(null);
  };
  return (
    <div
      aria-hidden
      className="relative mr-20 grow cursor-col-resize touch-none select-none"
      title="Pull to zoom"
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        setDrag({ from: part(event), to: part(event) });
      }}
      onPointerMove={(event) => drag && setDrag({ ...drag, to: part(event) })}
      onPointerUp={end}
      onPointerCancel={() => setDrag(null)}
    >
      {ticks.map((tick) => (
        <span
          key={tick.at}
          className={classes(
            "tabular absolute bottom-1 text-2xs whitespace-nowrap text-ink-3",
            tick.place > 0 && "-translate-x-1/2",
          )}
          style={{ left: `${tick.place * 100}%` }}
        >
          {tick.at === 0 ? "0" : duration(tick.at).replace(".0 s", " s")}
        </span>
      ))}
      {drag && (
        <span
          className="absolute inset-y-0 bg-accent-soft"
          style={{
            left: `${Math.min(drag.from, drag.to) * 100}%`,
            width: `${Math.abs(drag.to - drag.from) * 100}%`,
          }}
        />
      )}
    </div>
  );
}
