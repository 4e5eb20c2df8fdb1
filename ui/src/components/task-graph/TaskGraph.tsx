import { lazy, Suspense } from "react";
import { Skeleton } from "../Skeleton";
import type { TaskGraphProps } from "./TaskGraphCanvas";

const TaskGraphCanvas = lazy(() => import("./TaskGraphCanvas"));

/** The tasks of a pipeline as a graph. The drawing code is loaded with the first one. */
export function TaskGraph(props: TaskGraphProps) {
  return (
    <Suspense
      fallback={
        <div className="flex items-center gap-16 p-8">
          <Skeleton className="h-14 w-52" />
          <Skeleton className="h-14 w-52" />
        </div>
      }
    >
      <TaskGraphCanvas {...props} />
    </Suspense>
  );
}
