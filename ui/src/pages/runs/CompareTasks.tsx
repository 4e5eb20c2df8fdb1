import type { TaskRun } from "../../api/model";
import { classes } from "../../components/classes";
import { Duration } from "../../components/Duration";
import { ScrollRegion } from "../../components/ScrollRegion";
import { Status } from "../../components/Status";
import { duration } from "../../format/durations";
import { taskPairs } from "./comparison";

interface CompareTasksProps {
  a: TaskRun[];
  b: TaskRun[];
  labels: [string, string];
}

/** A difference that is worth a colour. */
const NOTABLE_MS = 1_000;

/** The tasks of two runs, side by side. */
export function CompareTasks({ a, b, labels }: CompareTasksProps) {
  return (
    <ScrollRegion label="Tasks, side by side">
      <table className="w-full min-w-[480px]">
        <thead>
          <tr className="text-left text-xs text-ink-2 [&>th]:px-3 [&>th]:py-2 [&>th]:font-medium">
            <th scope="col">Task</th>
            <th scope="col">{labels[0]}</th>
            <th scope="col">{labels[1]}</th>
            <th scope="col" className="text-right">
              Difference
            </th>
          </tr>
        </thead>
        <tbody>
          {taskPairs(a, b).map((pair) => (
            <tr
              key={pair.task}
              className={classes(
                "border-t align-top [&>*]:px-3 [&>*]:py-1.5",
                pair.a && pair.b && pair.a.state !== pair.b.state && "bg-warn-soft",
              )}
            >
              <th scope="row" className="min-w-24 text-left font-medium wrap-break-word">
                {pair.task}
              </th>
              <td>
                <One task={pair.a} />
              </td>
              <td>
                <One task={pair.b} />
              </td>
              <td className="tabular text-right">
                <Difference ms={pair.longerMs} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollRegion>
  );
}

function One({ task }: { task: TaskRun | undefined }) {
  if (!task) return <span className="text-ink-3">not there</span>;
  return (
    <span className="flex flex-wrap items-center gap-x-3">
      <Status state={task.state} />
      <span className="text-ink-2">
        <Duration from={task.started_at} to={task.ended_at} />
      </span>
    </span>
  );
}

function Difference({ ms }: { ms: number | undefined }) {
  if (ms === undefined) return null;
  if (Math.abs(ms) < NOTABLE_MS) return <span className="text-ink-3">about the same</span>;
  return (
    <span className={ms > 0 ? "text-warn" : "text-ok"}>
      {ms > 0 ? `${duration(ms)} longer` : `${duration(-ms)} shorter`}
    </span>
  );
}
