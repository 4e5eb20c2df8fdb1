import { memo } from "react";
import type { TaskRun } from "../../../api/model";
import { classes } from "../../../components/classes";
import { Status } from "../../../components/Status";
import { TONE_FILL } from "../../../components/status-icons";
import { duration, elapsed } from "../../../format/durations";
import { look } from "../../../format/status";
import { barOf, type Span } from "./scale";

interface GanttRowProps {
  place: number;
  count: number;
  start: number;
  height: number;
  name: string;
  state: string;
  items: NonNullable<TaskRun["items"]> | null;
  /** Which try it is, where it is not the first. */
  attempt: number | null;
  startedAt: string | null;
  endedAt: string | null;
  /** How fast it is. */
  note: string | null;
  span: Span;
  ticks: { at: number; place: number }[];
  now: number;
  isSelected: boolean;
  isActive: boolean;
  onSelect: (task: string) => void;
}

/** A task on the scale of time. */
export const GanttRow = memo(
  function GanttRow(props: GanttRowProps) {
    const {
      place,
      count,
      start,
      height,
      name,
      state,
      items,
      attempt,
      startedAt,
      endedAt,
      note,
      span,
      ticks,
      now,
    } = props;
    const { tone, word } = look(state);
    const bar = barOf({ started_at: startedAt, ended_at: endedAt }, span, now);
    const ms = startedAt ? (endedAt ? Date.parse(endedAt) : now) - Date.parse(startedAt) : null;
    const took = ms === null ? "" : endedAt ? duration(ms) : elapsed(ms);
    return (
      <div
        role="option"
        aria-selected={props.isSelected}
        aria-posinset={place + 1}
        aria-setsize={count}
        aria-label={[name, word, took, note].filter(Boolean).join(", ")}
        data-place={place}
        tabIndex={props.isActive ? 0 : -1}
        onClick={() => props.onSelect(name)}
        className={classes(
          "absolute inset-x-0 top-0 flex cursor-pointer items-center border-b border-line -outline-offset-2",
          props.isSelected ? "bg-accent-soft" : "hover:bg-hover",
        )}
        style={{ height, transform: `translateY(${start}px)` }}
      >
        <span className="flex w-[40%] max-w-72 min-w-32 shrink-0 items-center gap-2 pr-3 pl-4 sm:pl-6">
          <Status state={state} iconOnly />
          <span className="truncate" title={name}>
            {name}
          </span>
          {items && <Items items={items} />}
          {attempt !== null && attempt > 1 && (
            <span className="shrink-0 text-2xs text-warn" title={`Try ${attempt}`}>
              ×{attempt}
            </span>
          )}
        </span>
        <span className="relative mr-20 h-full grow">
          {ticks.map((tick) => (
            <span
              key={tick.at}
              className="absolute inset-y-0 w-px bg-line"
              style={{ left: `${tick.place * 100}%` }}
            />
          ))}
          {bar && (
            <span
              className={classes(
                "absolute top-[9px] h-3 rounded-[3px]",
                TONE_FILL[tone],
                tone === "run" && "animate-slow-pulse",
              )}
              style={{ left: `${bar.left * 100}%`, width: `max(3px, ${bar.width * 100}%)` }}
            />
          )}
          {bar && <BarLabel left={bar.left} width={bar.width} text={note ? `${took}, ${note}` : took} />}
          {!bar && <span className="absolute top-[7px] text-2xs text-ink-3">{startedAt ? "" : word}</span>}
        </span>
      </div>
    );
  },
  (before, after) =>
    (Object.keys(after) as (keyof GanttRowProps)[]).every((key) => {
      if (key === "onSelect") return true;
      if (key === "span") return before.span.from === after.span.from && before.span.to === after.span.to;
      if (key === "ticks")
        return before.ticks.length === after.ticks.length && before.span.to === after.span.to;
      return before[key] === after[key];
    }),
);

/** Room at the right of the scale, which the rows leave free for labels. */
const ROOM = "80px";

/** What stands beside a bar: at its end, or before it where there is more room. It ends where the row does. */
function BarLabel({ left, width, text }: { left: number; width: number; text: string }) {
  const end = Math.min(1, left + width);
  const isBefore = end > 0.7 && left > 0.3;
  return (
    <span
      title={text}
      className={classes(
        "tabular absolute top-[7px] truncate px-1.5 text-2xs text-ink-2",
        isBefore && "-translate-x-full",
      )}
      style={{
        left: `${(isBefore ? left : end) * 100}%`,
        maxWidth: isBefore ? `${left * 100}%` : `calc(${(1 - end) * 100}% + ${ROOM})`,
      }}
    >
      {text}
    </span>
  );
}

function Items({ items }: { items: NonNullable<TaskRun["items"]> }) {
  const { queued, active, succeeded, failed, cancelled, skipped } = items;
  const ended = succeeded + failed + cancelled + skipped;
  return (
    <span className={classes("tabular shrink-0 text-2xs", failed > 0 ? "text-fail" : "text-ink-3")}>
      {ended}/{ended + queued + active}
    </span>
  );
}
