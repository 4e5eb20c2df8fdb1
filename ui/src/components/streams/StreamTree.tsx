import { useVirtualizer } from "@tanstack/react-virtual";
import { ChevronRight, KeyRound } from "lucide-react";
import { useMemo, useRef, useState, type KeyboardEvent } from "react";
import type { StreamFound } from "../../api/model";
import {
  searchStreams,
  treeRows,
  type NamespaceRow,
  type StreamRow,
  type TreeRow,
} from "../../format/stream-tree";
import { plural } from "../../format/numbers";
import { classes } from "../classes";
import { Count } from "../Count";
import { EmptyState } from "../EmptyState";
import { focusSoon } from "../focus-soon";
import { ChosenMark } from "./ChosenMark";

interface StreamTreeProps {
  streams: readonly StreamFound[];
  search: string;
  /** The stream that is looked at. */
  active: string | undefined;
  onActivate: (stream: string) => void;
  /** Which streams are chosen; without it nothing can be. */
  chosen?: ReadonlySet<string>;
  onChoose?: (streams: string[], isChosen: boolean) => void;
}

const ROW = 36;

/** Streams below their namespaces, of which only those in view exist. Arrows walk, space chooses. */
export function StreamTree({ streams, search, active, onActivate, chosen, onChoose }: StreamTreeProps) {
  const scroll = useRef<HTMLDivElement>(null);
  const [closed, setClosed] = useState<ReadonlySet<string>>(new Set());
  const [focused, setFocused] = useState(0);
  const rows = useMemo(() => treeRows(searchStreams(streams, search), closed), [streams, search, closed]);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => ROW,
    overscan: 12,
  });
  const toggle = (name: string) =>
    setClosed((before) => {
      const next = new Set(before);
      if (!next.delete(name)) next.add(name);
      return next;
    });

  const walk = (event: KeyboardEvent, row: TreeRow, index: number) => {
    if (event.target !== event.currentTarget) return;
    const step = STEPS[event.key];
    if (step !== undefined) {
      event.preventDefault();
      const next = Math.min(Math.max(index + step, 0), rows.length - 1);
      setFocused(next);
      virtual.scrollToIndex(next);
      focusSoon(() => scroll.current?.querySelector<HTMLElement>(`[data-index="${next}"]`));
    } else if (row.kind === "namespace" && (event.key === "ArrowLeft" || event.key === "ArrowRight")) {
      if (row.isOpen === (event.key === "ArrowLeft")) toggle(row.name);
    } else if (event.key === " " || event.key === "Enter") {
      event.preventDefault();
      if (row.kind === "namespace") toggle(row.name);
      else if (event.key === " " && onChoose) onChoose([row.stream.stream], !chosen?.has(row.stream.stream));
      else onActivate(row.stream.stream);
    }
  };

  if (rows.length === 0)
    return (
      <EmptyState title={streams.length === 0 ? "There are no streams" : "No stream is like that"}>
        {streams.length === 0
          ? "Nothing can be read here: it is empty, or the user of the connection may not see it."
          : "Search looks at the names of streams and of their columns."}
      </EmptyState>
    );
  return (
    <div ref={scroll} className="min-h-0 grow overflow-y-auto">
      <div role="tree" aria-label="Streams" className="relative" style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map((item) => {
          const row = rows[item.index];
          if (!row) return null;
          const isActive = row.kind === "stream" && row.stream.stream === active;
          return (
            <div
              key={row.kind === "stream" ? row.stream.stream : `namespace ${row.name}`}
              role="treeitem"
              data-index={item.index}
              aria-level={row.kind === "stream" && rows[0]?.kind === "namespace" ? 2 : 1}
              aria-expanded={row.kind === "namespace" ? row.isOpen : undefined}
              aria-selected={row.kind === "stream" ? isActive : undefined}
              aria-checked={row.kind === "stream" && onChoose ? chosen?.has(row.stream.stream) : undefined}
              tabIndex={item.index === Math.min(focused, rows.length - 1) ? 0 : -1}
              onFocus={() => setFocused(item.index)}
              onKeyDown={(event) => walk(event, row, item.index)}
              onClick={() => (row.kind === "namespace" ? toggle(row.name) : onActivate(row.stream.stream))}
              className={classes(
                "absolute inset-x-0 top-0 flex cursor-pointer items-center gap-2 border-b px-3 -outline-offset-2",
                isActive ? "bg-accent-soft" : "hover:bg-hover",
                row.kind === "namespace" && "bg-sunken",
              )}
              style={{ height: item.size, transform: `translateY(${item.start}px)` }}
            >
              {row.kind === "namespace" ? (
                <Namespace row={row} chosen={chosen} onChoose={onChoose} />
              ) : (
                <Stream
                  row={row}
                  isBelow={rows[0]?.kind === "namespace"}
                  chosen={chosen}
                  onChoose={onChoose}
                />
              )}
            </div>
          );
        })}
      </div>
    </div>
  );
}

const STEPS: Record<string, number> = {
  ArrowDown: 1,
  ArrowUp: -1,
  PageDown: 12,
  PageUp: -12,
  Home: -1e9,
  End: 1e9,
};

interface RowProps<R> {
  row: R;
  chosen: ReadonlySet<string> | undefined;
  onChoose: ((streams: string[], isChosen: boolean) => void) | undefined;
}

function Namespace({ row, chosen, onChoose }: RowProps<NamespaceRow>) {
  const names = row.streams.map((stream) => stream.stream);
  const count = names.filter((name) => chosen?.has(name)).length;
  return (
    <>
      <ChevronRight
        className={classes("size-3.5 shrink-0 text-ink-3 transition-transform", row.isOpen && "rotate-90")}
        aria-hidden
      />
      {onChoose && (
        <ChosenMark
          state={count === 0 ? "none" : count === names.length ? "all" : "some"}
          onToggle={() => onChoose(names, count < names.length)}
        />
      )}
      <span className="min-w-0 grow truncate font-medium">{row.name || "No namespace"}</span>
      <span className="text-xs text-ink-3">
        {count > 0 && `${count} of `}
        {plural(names.length, "stream")}
      </span>
    </>
  );
}

function Stream({
  row: { stream, columns },
  isBelow,
  chosen,
  onChoose,
}: RowProps<StreamRow> & { isBelow: boolean }) {
  return (
    <>
      {isBelow && <span className="w-3 shrink-0" />}
      {onChoose && (
        <ChosenMark
          state={chosen?.has(stream.stream) ? "all" : "none"}
          onToggle={() => onChoose([stream.stream], !chosen?.has(stream.stream))}
        />
      )}
      <span className="min-w-0 grow truncate" title={stream.stream}>
        {isBelow ? stream.table : stream.stream}
        {columns.length > 0 && (
          <span className="ml-2 text-xs text-ink-3">{columns.slice(0, 3).join(", ")}</span>
        )}
      </span>
      {stream.key.length > 0 && (
        <span title={`Key: ${stream.key.join(", ")}`} className="shrink-0 text-ink-3">
          <KeyRound className="size-3" aria-label={`Key: ${stream.key.join(", ")}`} />
        </span>
      )}
      <span className="w-28 shrink-0 text-right text-xs whitespace-nowrap text-ink-3">
        {stream.rows_estimate === null || stream.rows_estimate === undefined ? (
          plural(stream.columns.length, "column")
        ) : (
          <>
            about <Count value={stream.rows_estimate} short /> rows
          </>
        )}
      </span>
    </>
  );
}
