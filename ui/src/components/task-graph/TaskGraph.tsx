import { useMemo } from "react";
import { count } from "../../format/numbers";
import { later } from "../later";
import { Skeleton } from "../Skeleton";
import { DRAWN_MAX } from "./layout";
import { loadCanvas } from "./load-canvas";
import { nearest } from "./nearest";
import type { TaskGraphProps } from "./TaskGraphCanvas";

const TaskGraphCanvas = later<TaskGraphProps>(loadCanvas, () => (
  <div className="flex items-center gap-16 p-8">
    <Skeleton className="h-14 w-52" />
    <Skeleton className="h-14 w-52" />
  </div>
));

/**
 * The tasks of a pipeline as a graph; of very many those around the one that is chosen, from which one goes on by choosing
 * another. The drawing code is loaded with the first graph.
 */
export function TaskGraph(props: TaskGraphProps) {
  const { tasks, selected } = props;
  const center = selected ?? tasks[0]?.name;
  const shown = useMemo(() => nearest(tasks, center, DRAWN_MAX), [tasks, center]);
  return (
    <>
      {shown.length < tasks.length && (
        <p role="status" className="border-b px-4 py-1 text-xs text-ink-2 sm:px-6">
          Of {count(tasks.length)} tasks, the {count(shown.length)} around {center} are drawn. Choose one of
          them to go on from there.
        </p>
      )}
      <TaskGraphCanvas {...props} tasks={shown} />
    </>
  );
}
