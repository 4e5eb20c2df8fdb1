import type { ChartProps } from "./ChartCanvas";
import { later } from "./later";
import { Skeleton } from "./Skeleton";

/** A chart over time. The drawing code is loaded with the first chart. */
export const Chart = later<ChartProps>(
  () => import("./ChartCanvas"),
  ({ height }) => (
    <div style={{ height }} className="p-3">
      <Skeleton className="h-full w-full" />
    </div>
  ),
);
