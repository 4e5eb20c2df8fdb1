import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef, useState, type KeyboardEvent, type ReactNode } from "react";
import type { Row } from "../../../api/data";
import type { Collection, CollectionColumn } from "../../../api/model";
import { ErrorState } from "../../../components/ErrorState";
import { focusSoon } from "../../../components/focus-soon";
import { Skeleton } from "../../../components/Skeleton";
import { sortingOf } from "../../../components/table-columns";
import { textOf } from "../values";
import { ACTIONS_WIDTH, widthOf } from "./widths";
import type { Deletion } from "./DeleteDialog";
import { GridHead } from "./GridHead";
import { GridRow } from "./GridRow";
import { RowActions } from "./RowActions";
import type { CellEdit } from "./use-cell-edit";

interface GridProps {
  collection: Collection;
  collections: Collection[];
  rows: Row[] | undefined;
  error: unknown;
  onRetry: () => void;
  hasMore: boolean;
  isLoadingMore: boolean;
  onMore: () => void;
  sort: string | undefined;
  onSortChange: (sort: string | undefined) => void;
  edit: CellEdit;
  /** Why rows cannot be changed, or not be deleted. */
  denial: string | undefined;
  deletionDenial: string | undefined;
  withDeleted: boolean;
  onOpen: (row: Row) => void;
  onDelete: (deletion: Deletion) => void;
  empty: ReactNode;
}

const ROW_HEIGHT = 32;
const OVERSCAN = 12;
const MORE_AHEAD = 30;
const PAGE_STEP = 15;
const SKELETON_ROWS = 14;

/** Rows and columns, of which only what is in view exists. Arrow keys lead from cell to cell, Enter changes one. */
export function Grid(props: GridProps) {
  const {
    collection,
    collections,
    rows,
    error,
    onRetry,
    hasMore,
    isLoadingMore,
    onMore,
    sort,
    onSortChange,
  } = props;
  const { edit, denial, deletionDenial, withDeleted, onOpen, onDelete, empty } = props;
  const scroll = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState<[row: number, column: number]>([0, 0]);
  const columns = useMemo(() => columnsOf(collection, withDeleted), [collection, withDeleted]);
  const template = `${columns.map((column) => `minmax(${widthOf(column)}px, ${widthOf(column)}fr)`).join(" ")} ${ACTIONS_WIDTH}px`;
  const width = columns.reduce((sum, column) => sum + widthOf(column), ACTIONS_WIDTH);
  const lines = rows ?? [];
  const [sorting] = sortingOf(sort);

  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: OVERSCAN,
  });
  const items = virtual.getVirtualItems();
  const lastShown = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (hasMore && !isLoadingMore && lastShown >= lines.length - MORE_AHEAD) onMore();
  }, [hasMore, isLoadingMore, lastShown, lines.length, onMore]);

  const focus = (row: number, column: number) => {
    const next: [number, number] = [clamp(row, lines.length - 1), clamp(column, columns.length)];
    setActive(next);
    virtual.scrollToIndex(next[0]);
    focusSoon(() => {
      const cell = scroll.current?.querySelector<HTMLElement>(`[data-cell="${next.join(":")}"]`);
      cell?.scrollIntoView({ block: "nearest", inline: "nearest" });
      return cell?.querySelector<HTMLElement>("button") ?? cell;
    });
  };
  const isEditable = (row: Row | undefined, column: CollectionColumn | undefined): boolean =>
    !denial &&
    row !== undefined &&
    column !== undefined &&
    !row["deleted_at"] &&
    column.name !== collection.key &&
    column.name !== "deleted_at";
  const press = (event: KeyboardEvent, row: number, column: number) => {
    const [down, right] = STEPS[event.key] ?? [];
    const [line, field] = [lines[row], columns[column]];
    if (down !== undefined && right !== undefined)
      focus(row + down, right === Infinity ? columns.length - 1 : right === -Infinity ? 0 : column + right);
    else if ((event.key === "Enter" || event.key === "F2") && line && field) {
      if (isEditable(line, field)) edit.start(line, field);
      else onOpen(line);
    } else return;
    event.preventDefault();
  };
  const toggleSort = (name: string) => {
    const isThis = sorting?.id === name;
    onSortChange(isThis ? (sorting.desc ? undefined : `-${name}`) : name);
  };

  if (error && !rows) return <ErrorState error={error} onRetry={onRetry} />;
  return (
    <div ref={scroll} className="relative min-h-0 grow overflow-auto">
      <div
        role="grid"
        aria-label={`Rows of ${collection.name}`}
        aria-rowcount={hasMore ? -1 : lines.length + 1}
        aria-colcount={columns.length + 1}
        aria-busy={!rows}
        style={{ minWidth: width }}
        className="min-w-full"
      >
        <GridHead columns={columns} template={template} sorting={sorting} onSort={toggleSort} />
        {rows ? (
          <div role="rowgroup" className="relative" style={{ height: virtual.getTotalSize() }}>
            {items.map((item) => {
              const row = lines[item.index];
              if (!row) return null;
              return (
                <GridRow
                  key={textOf(row[collection.key])}
                  row={row}
                  columns={columns}
                  collection={collection}
                  collections={collections}
                  place={item.index}
                  top={item.start}
                  height={item.size}
                  template={template}
                  active={active[0] === item.index ? active[1] : null}
                  edit={edit}
                  isEditable={isEditable}
                  onActive={(column) => setActive([item.index, column])}
                  onPress={press}
                  onFocus={focus}
                  onOpen={onOpen}
                  actions={
                    <RowActions
                      collection={collection}
                      row={row}
                      denial={denial}
                      deletionDenial={deletionDenial}
                      onOpen={onOpen}
                      onDelete={onDelete}
                    />
                  }
                />
              );
            })}
          </div>
        ) : (
          <SkeletonRows columns={columns} template={template} />
        )}
      </div>
      {rows?.length === 0 && <div className="sticky left-0 w-[min(100%,100vw)]">{empty}</div>}
      {isLoadingMore && <p className="sticky left-0 px-6 py-2 text-xs text-ink-3">Reading more</p>}
    </div>
  );
}

const STEPS: Record<string, [down: number, right: number]> = {
  ArrowDown: [1, 0],
  ArrowUp: [-1, 0],
  ArrowRight: [0, 1],
  ArrowLeft: [0, -1],
  PageDown: [PAGE_STEP, 0],
  PageUp: [-PAGE_STEP, 0],
  Home: [0, -Infinity],
  End: [0, Infinity],
};

/** The columns that are shown; with deleted rows also when they were deleted. */
function columnsOf(collection: Collection, withDeleted: boolean): CollectionColumn[] {
  const deletedAt: CollectionColumn = {
    name: "deleted_at",
    type: "timestamp",
    required: false,
    unique: false,
    one_of: [],
  };
  return withDeleted && collection.soft_delete ? [...collection.columns, deletedAt] : collection.columns;
}

function clamp(value: number, most: number): number {
  return Math.max(0, Math.min(value, most));
}

function SkeletonRows({ columns, template }: { columns: CollectionColumn[]; template: string }) {
  return Array.from({ length: SKELETON_ROWS }, (_, row) => (
    <div
      key={row}
      aria-hidden
      className="grid items-center border-b"
      style={{ gridTemplateColumns: template, height: ROW_HEIGHT }}
    >
      {columns.map((column) => (
        <Skeleton key={column.name} className="mx-2.5 h-3 w-3/5" />
      ))}
    </div>
  ));
}
