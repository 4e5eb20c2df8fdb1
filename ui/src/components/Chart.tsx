import { lazy, Suspense } from "react";
import { Skeleton } from "./Skeleton";
import type { ChartProps } from "./ChartCanvas";

const ChartCanvas = lazy(() => import("./ChartCanvas"));

/** A chart over time. The drawing code is loaded with the first chart. */
export function Chart(props: ChartProps) {
  return (
    <Suspense
      fallback={
        <div style={{ height: props.height }} className="p-3">
          <Skeleton className="h-full w-full" />
        </div>
      }
    >
      <ChartCanvas {...props} />
    </Suspense>
  );
}
