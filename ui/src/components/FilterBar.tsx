import type { ReactNode } from "react";

/** The row of search and filters above a list. */
export function FilterBar({ children }: { children: ReactNode }) {
  return (
    <div role="search" className="flex flex-wrap items-center gap-2 border-b px-4 py-2 sm:px-6">
      {children}
    </div>
  );
}
