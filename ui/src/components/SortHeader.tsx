import { ArrowDown, ArrowUp } from "lucide-react";
import type { ReactNode } from "react";
import { classes } from "./classes";

interface SortHeaderProps {
  children: ReactNode;
  isRight: boolean;
  /** How the table is sorted by this column now. */
  order: "up" | "down" | undefined;
  onSort: (() => void) | undefined;
}

/** The head of a column; a button where the column can be sorted by. */
export function SortHeader({ children, isRight, order, onSort }: SortHeaderProps) {
  const Arrow = order === "down" ? ArrowDown : ArrowUp;
  return (
    <div
      role="columnheader"
      aria-sort={order ? (order === "up" ? "ascending" : "descending") : undefined}
      className={classes(
        "flex h-8 min-w-0 items-center text-xs font-medium text-ink-2",
        isRight && "justify-end",
      )}
    >
      {onSort ? (
        <button
          type="button"
          onClick={onSort}
          className={classes(
            "group flex min-w-0 items-center gap-1 rounded-sm hover:text-ink",
            // the words stand above the values, whether or not there is an arrow
            isRight && "flex-row-reverse",
          )}
        >
          <span className="truncate">{children}</span>
          <Arrow
            className={classes("size-3 shrink-0", !order && "opacity-0 group-hover:opacity-50")}
            aria-hidden
          />
        </button>
      ) : (
        <span className="truncate">{children}</span>
      )}
    </div>
  );
}
