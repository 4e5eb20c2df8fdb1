import {
  createSortedRowModel,
  rowSortingFeature,
  sortFns,
  tableFeatures,
  type ColumnDef,
  type RowData,
} from "@tanstack/react-table";

export interface ColumnMeta {
  /** Numbers stand at the right. */
  align?: "right";
  /** A track of a CSS grid: `96px`, `minmax(160px, 2fr)`. */
  width?: string;
  /** Left out where the window is narrower than this. */
  hideBelow?: Breakpoint;
}

export type Breakpoint = "sm" | "md" | "lg" | "xl";

export const TABLE_FEATURES = tableFeatures({
  rowSortingFeature,
  sortedRowModel: createSortedRowModel(),
  sortFns,
  columnMeta: {} as ColumnMeta,
});

/**
 * A column of a `DataTable`. It can be sorted if it has an `accessorFn` (the rows are all here) or `enableSorting: true`
 * (the server sorts by its id).
 */
export type Column<T extends RowData> = ColumnDef<typeof TABLE_FEATURES, T, unknown>;

/** The order of rows, as URLs have it: `name`, or `-name` downwards. */
export function sortingOf(sort: string | undefined): { id: string; desc: boolean }[] {
  if (!sort) return [];
  return sort.startsWith("-") ? [{ id: sort.slice(1), desc: true }] : [{ id: sort, desc: false }];
}

/** The other way round. */
export function sortOf(sorting: { id: string; desc: boolean }[]): string | undefined {
  const [first] = sorting;
  return first && (first.desc ? `-${first.id}` : first.id);
}
