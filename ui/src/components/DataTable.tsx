import { useTable, type RowData } from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef, useState, type KeyboardEvent, type ReactNode } from "react";
import { ErrorState } from "./ErrorState";
import { classes } from "./classes";
import { focusSoon } from "./focus-soon";
import { SortHeader } from "./SortHeader";
import { Skeleton } from "./Skeleton";
import { sortingOf, sortOf, TABLE_FEATURES, type Column } from "./table-columns";
import { breakpoint, useWidth } from "./use-breakpoint";

interface DataTableProps<T extends RowData> {
  /** What it lists, for screen readers. */
  label: string;
  columns: Column<T>[];
  /** What is there; undefined while it is read. */
  rows: T[] | undefined;
  rowKey: (row: T) => string;
  /** What stands in for no rows. */
  empty: ReactNode;
  error?: unknown;
  onRetry?: () => void;
  /** Whether there are more rows than these; they are asked for when the end comes near. */
  hasMore?: boolean;
  isLoadingMore?: boolean;
  onMore?: () => void;
  /** The order, as `sortingOf` reads it. */
  sort?: string | undefined;
  onSortChange?: (sort: string | undefined) => void;
  /** The server sorts; otherwise the rows are sorted here, by the columns' `accessorFn`. */
  isSortedByServer?: boolean;
  /** Opens a row, on a click or Enter. Its first cell should hold a link to the same place. */
  onOpen?: (row: T) => void;
  rowHeight?: number;
  /** As wide as all columns want to be, in px; where there is less room, it scrolls sideways. */
  minWidth?: number;
  className?: string;
}

const OVERSCAN = 12;
const SKELETON_ROWS = 12;
/** Rows before the end at which more are asked for. */
const MORE_AHEAD = 25;
const NOTHING: never[] = [];

/**
 * A list in columns. Only the rows in view exist; arrow keys walk over them. It fills the height that is there, and
 * scrolls by itself.
 */
export function DataTable<T extends RowData>(props: DataTableProps<T>) {
  const { label, columns, rows, rowKey, empty, error, onRetry, onOpen, rowHeight = 36 } = props;
  const { hasMore, isLoadingMore, onMore, sort, onSortChange, isSortedByServer, minWidth, className } = props;
  const scroll = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState(0);
  const width = useWidth();
  const shown = useMemo(() => columns.filter((column) => width >= leftOutBelow(column)), [columns, width]);
  const sorting = useMemo(() => sortingOf(sort), [sort]);

  const table = useTable({
    features: TABLE_FEATURES,
    columns: shown,
    data: rows ?? NOTHING,
    getRowId: rowKey,
    state: { sorting },
    manualSorting: isSortedByServer ?? false,
    enableMultiSort: false,
    onSortingChange: (update) =>
      onSortChange?.(sortOf(typeof update === "function" ? update(sorting) : update)),
  });
  const lines = table.getRowModel().rows;
  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => rowHeight,
    getItemKey: (index) => lines[index]?.id ?? index,
    overscan: OVERSCAN,
  });
  const items = virtual.getVirtualItems();
  const lastShown = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (hasMore && !isLoadingMore && lastShown >= lines.length - MORE_AHEAD) onMore?.();
  }, [hasMore, isLoadingMore, lastShown, lines.length, onMore]);

  const template = shown.map((column) => column.meta?.width ?? "minmax(96px, 1fr)").join(" ");
  const walk = (event: KeyboardEvent) => {
    const step = STEPS[event.key];
    if (step === undefined || event.target !== event.currentTarget) return;
    event.preventDefault();
    const next = Math.min(Math.max(active + step, 0), lines.length - 1);
    setActive(next);
    virtual.scrollToIndex(next);
    focusSoon(() => scroll.current?.querySelector<HTMLElement>(`[data-index="${next}"]`));
  };

  if (error && !rows) return <ErrorState error={error} onRetry={onRetry} />;
  return (
    <div ref={scroll} className={classes("relative min-h-0 grow overflow-auto", className)}>
      <div
        role="table"
        aria-label={label}
        aria-rowcount={hasMore ? -1 : lines.length + 1}
        aria-busy={!rows}
        style={{ minWidth }}
      >
        <div role="rowgroup" className="sticky top-0 z-10 bg-canvas">
          {table.getHeaderGroups().map((group) => (
            <div
              key={group.id}
              role="row"
              className="grid items-center gap-x-3 border-b px-4 sm:px-6"
              style={{ gridTemplateColumns: template }}
            >
              {group.headers.map((header) => (
                <SortHeader
                  key={header.id}
                  isRight={header.column.columnDef.meta?.align === "right"}
                  order={sorting[0]?.id === header.column.id ? (sorting[0].desc ? "down" : "up") : undefined}
                  onSort={
                    onSortChange && header.column.getCanSort()
                      ? () => header.column.toggleSorting()
                      : undefined
                  }
                >
                  <table.FlexRender header={header} />
                </SortHeader>
              ))}
            </div>
          ))}
        </div>
        {rows ? (
          <div role="rowgroup" className="relative" style={{ height: virtual.getTotalSize() }}>
            {items.map((item) => {
              const line = lines[item.index];
              if (!line) return null;
              return (
                <div
                  key={item.key}
                  role="row"
                  data-index={item.index}
                  aria-rowindex={item.index + 2}
                  tabIndex={item.index === active ? 0 : -1}
                  onFocus={() => setActive(item.index)}
                  onKeyDown={(event) => {
                    if (event.key === "Enter" && event.target === event.currentTarget)
                      onOpen?.(line.original);
                    else walk(event);
                  }}
                  onClick={(event) => !isControl(event.target) && onOpen?.(line.original)}
                  className={classes(
                    "absolute inset-x-0 top-0 grid items-center gap-x-3 border-b px-4 -outline-offset-2 sm:px-6",
                    onOpen && "cursor-pointer hover:bg-hover",
                  )}
                  style={{
                    height: item.size,
                    transform: `translateY(${item.start}px)`,
                    gridTemplateColumns: template,
                  }}
                >
                  {line.getAllCells().map((cell) => (
                    <div
                      key={cell.id}
                      role="cell"
                      className={classes(
                        "min-w-0 truncate",
                        cell.column.columnDef.meta?.align === "right" && "tabular text-right",
                      )}
                    >
                      <table.FlexRender cell={cell} />
                    </div>
                  ))}
                </div>
              );
            })}
          </div>
        ) : (
          <SkeletonRows columns={shown.length} template={template} height={rowHeight} />
        )}
      </div>
      {rows?.length === 0 && empty}
      {isLoadingMore && <p className="px-6 py-2 text-xs text-ink-3">Reading more</p>}
    </div>
  );
}

const STEPS: Record<string, number> = {
  ArrowDown: 1,
  ArrowUp: -1,
  j: 1,
  k: -1,
  PageDown: 15,
  PageUp: -15,
  Home: -1e9,
  End: 1e9,
};

function SkeletonRows({ columns, template, height }: { columns: number; template: string; height: number }) {
  return Array.from({ length: SKELETON_ROWS }, (_, row) => (
    <div
      key={row}
      aria-hidden
      className="grid items-center gap-x-3 border-b px-4 sm:px-6"
      style={{ gridTemplateColumns: template, height }}
    >
      {Array.from({ length: columns }, (_, column) => (
        <Skeleton key={column} className={column === 0 ? "h-3 w-3/5" : "h-3 w-2/5"} />
      ))}
    </div>
  ));
}

function leftOutBelow<T extends RowData>(column: Column<T>): number {
  const name = column.meta?.hideBelow;
  return name ? breakpoint(name) : 0;
}

/** Whether a click was for a link or a control within the row. */
function isControl(target: EventTarget): boolean {
  return (
    target instanceof Element &&
    target.closest("a, button, input, label, [role=switch], [role=menuitem]") !== null
  );
}
