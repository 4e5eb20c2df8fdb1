import type { ReactNode } from "react";
import { Skeleton } from "../../components/Skeleton";

interface PanelRowsProps<T> {
  /** What is listed; undefined while it is read. */
  rows: T[] | undefined;
  rowKey: (row: T) => string;
  children: (row: T) => ReactNode;
  /** What stands in for no rows. */
  empty: ReactNode;
  /** Rows that stand in while they are read: about as many as there will be. */
  expected?: number;
  /** Room that is kept for rows that come and go, so that what stands below does not move. */
  room?: number;
}

/** The rows of a panel. */
export function PanelRows<T>({ rows, rowKey, children, empty, expected = 3, room = 0 }: PanelRowsProps<T>) {
  if (!rows)
    return (
      <div aria-busy style={{ minHeight: room }}>
        {Array.from({ length: expected }, (_, index) => (
          <div key={index} className="flex h-9 items-center border-b px-3 last:border-0">
            <Skeleton className="h-3 w-1/2" />
          </div>
        ))}
      </div>
    );
  if (rows.length === 0)
    return (
      <p className="px-3 py-2 text-ink-3" style={{ minHeight: room }}>
        {empty}
      </p>
    );
  return (
    <ul style={{ minHeight: room }}>
      {rows.map((row) => (
        <li key={rowKey(row)} className="border-b px-3 py-2 last:border-0 hover:bg-hover">
          {children(row)}
        </li>
      ))}
    </ul>
  );
}
