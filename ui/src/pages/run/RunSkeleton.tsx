import { Skeleton } from "../../components/Skeleton";

/** What stands where a run will be. */
export function RunSkeleton() {
  return (
    <div aria-busy className="flex flex-col gap-3 px-4 pt-5 sm:px-6">
      <Skeleton className="h-6 w-48" />
      <Skeleton className="h-4 w-80 max-w-full" />
      <Skeleton className="mt-8 h-4 w-full" />
      <Skeleton className="h-4 w-11/12" />
      <Skeleton className="h-4 w-full" />
    </div>
  );
}
