import {
  useEffect,
  useEffectEvent,
  useLayoutEffect,
  useReducer,
  useRef,
  useState,
  type KeyboardEvent,
} from "react";
import { classes } from "../classes";
import { LogLineRow } from "./LogLineRow";
import { LogScrollbar } from "./LogScrollbar";
import type { Rows } from "./use-log";

interface LogRowsProps {
  rows: Rows;
  /** What it shows, for screen readers. */
  label: string;
  /** The number of the last line, for the width of numbers. */
  last: number;
  isWrapped: boolean;
  /** A row to show in the middle, and how often that was asked for. */
  target: { index: number; asked: number } | null;
  /** The number of the line that is marked. */
  marked: number | null;
  /** What was searched for, to be marked in the lines. */
  needle: string;
  isFollowing: boolean;
  onFollowingChange: (isFollowing: boolean) => void;
  /** The address of a line. */
  onPick: (line: number) => void;
  /** Places that stand out, from 0 to 1. */
  marks?: number[];
}

/** Rows that exist in the page at once. */
const SPAN = 260;
/** Rows beyond those in sight when the span moves. */
const MARGIN = 70;
const ROW_PX = 18;
const END_PX = 6;

/** Where the view holds on to: a row, and how far its top is below the view's. */
interface Anchor {
  index: number;
  offset: number;
}

/**
 * Rows of a list that may have millions. The browser scrolls over a span of them; the span moves along, and the row at
 * the top stays where it is. So rows can have any height, and no height is ever added up.
 */
export function LogRows(props: LogRowsProps) {
  const {
    rows,
    label,
    last,
    isWrapped,
    target,
    marked,
    needle,
    isFollowing,
    onFollowingChange,
    onPick,
    marks,
  } = props;
  const scroll = useRef<HTMLDivElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const anchor = useRef<Anchor>({ index: 0, offset: 0 });
  const [first, setFirst] = useState(0);
  const [height, setHeight] = useState(0);
  const [, draw] = useReducer((count: number) => count + 1, 0);
  const { count } = rows;
  const start = Math.max(0, Math.min(isFollowing ? count - SPAN : first, count - 1, Math.max(0, count - 40)));
  const end = Math.min(count, start + SPAN);
  const { ask } = rows;

  useEffect(() => ask(start, end), [ask, start, end, count]);

  // after each drawing the view is where it was, or at the end
  useLayoutEffect(() => {
    const view = scroll.current;
    if (!view) return;
    if (isFollowing) {
      view.scrollTop = view.scrollHeight;
      return;
    }
    const row = rowAt(list.current, anchor.current.index - start);
    if (row) view.scrollTop = row.offsetTop - anchor.current.offset;
  });

  useEffect(() => {
    const view = scroll.current;
    if (!view) return undefined;
    const sizes = new ResizeObserver(() => setHeight(view.clientHeight));
    sizes.observe(view);
    return () => sizes.disconnect();
  }, []);

  const go = (index: number, offset = 0) => {
    anchor.current = { index: Math.max(0, Math.min(index, count - 1)), offset };
    setFirst(Math.max(0, anchor.current.index - SPAN / 2));
    draw();
  };
  const show = useEffectEvent((index: number) => {
    onFollowingChange(false);
    go(index, (scroll.current?.clientHeight ?? 0) / 3);
  });
  useEffect(() => {
    if (target) show(target.index);
  }, [target]);

  const scrolled = () => {
    const view = scroll.current;
    if (!view || count === 0) return;
    const isAtEnd = end === count && view.scrollTop + view.clientHeight >= view.scrollHeight - END_PX;
    if (isFollowing) {
      if (isAtEnd) return;
      setFirst(start);
    }
    const top = topRow(list.current, view.scrollTop);
    if (!top) return;
    anchor.current = { index: start + top.index, offset: top.offset };
    if (isAtEnd !== isFollowing) onFollowingChange(isAtEnd);
    const seen = Math.ceil(view.clientHeight / ROW_PX);
    const isNearStart = start > 0 && top.index < MARGIN;
    const isNearEnd = end < count && top.index + seen > SPAN - MARGIN;
    if (isNearStart || isNearEnd) setFirst(Math.max(0, start + top.index - Math.floor((SPAN - seen) / 2)));
    else draw();
  };
  const press = (event: KeyboardEvent) => {
    if (event.target !== event.currentTarget) return;
    if (event.key === "Home") go(0);
    else if (event.key === "End") onFollowingChange(true);
    else return;
    event.preventDefault();
    if (event.key === "Home") onFollowingChange(false);
  };

  const digits = String(last).length;
  return (
    <div className="relative flex min-h-0 grow">
      <div
        ref={scroll}
        role="region"
        aria-label={label}
        tabIndex={0}
        onScroll={scrolled}
        onKeyDown={press}
        className="min-h-0 min-w-0 grow overflow-auto bg-sunken py-1 -outline-offset-2 [overflow-anchor:none] [scrollbar-width:none]"
      >
        <div
          ref={list}
          className={classes("relative font-mono text-xs/[18px]", !isWrapped && "w-max min-w-full")}
        >
          {Array.from({ length: end - start }, (_, place) => {
            const line = rows.at(start + place);
            return (
              <LogLineRow
                key={start + place}
                line={line}
                digits={digits}
                isWrapped={isWrapped}
                isMarked={line !== undefined && line.number === marked}
                needle={needle}
                onPick={onPick}
              />
            );
          })}
        </div>
      </div>
      {count * ROW_PX > height && (
        <LogScrollbar
          count={count}
          seen={Math.max(1, Math.floor(height / ROW_PX))}
          top={isFollowing ? count : anchor.current.index}
          marks={marks}
          onGo={(index) => {
            onFollowingChange(false);
            go(index);
          }}
        />
      )}
    </div>
  );
}

function rowAt(list: HTMLElement | null, place: number): HTMLElement | null {
  return (list?.children[place] as HTMLElement | undefined) ?? null;
}

/** The row at the top of the view. */
function topRow(list: HTMLElement | null, scrollTop: number): Anchor | null {
  if (!list || list.children.length === 0) return null;
  let [low, high] = [0, list.children.length - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((rowAt(list, middle)?.offsetTop ?? 0) <= scrollTop) low = middle;
    else high = middle - 1;
  }
  return { index: low, offset: (rowAt(list, low)?.offsetTop ?? 0) - scrollTop };
}
