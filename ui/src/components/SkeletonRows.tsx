import { Skeleton } from "./Skeleton";

/** Lines that stand in for a list or a form that comes. */
export function SkeletonRows({ rows = 8 }: { rows?: number }) {
  return (
    <div aria-hidden className="flex flex-col">
      {Array.from({ length: rows }, (_, row) => (
        <div key={row} className="flex h-9 shrink-0 items-center gap-8 border-b px-4 sm:px-6">
          <Skeleton className="h-3 w-1/4" />
          <Skeleton className="h-3 w-1/6" />
          <Skeleton className="h-3 w-1/5 max-sm:hidden" />
        </div>
      ))}
    </div>
  );
}
