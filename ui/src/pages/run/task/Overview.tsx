import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Hourglass } from "lucide-react";
import type { ReactNode } from "react";
import type { TaskRun } from "../../../api/model";
import type { Run } from "../../../api/model";
import { whyTaskOptions } from "../../../api/queries/run-parts";
import { workersOptions } from "../../../api/queries/workers";
import type { Course } from "../../../api/use-run-progress";
import { Time } from "../../../components/Time";
import type { TaskEntry } from "../../../format/pipeline-outline";
import { LiveMetrics } from "./LiveMetrics";
import { Outputs } from "./Outputs";
import { Proof } from "./Proof";
import { proofOf } from "./proof-of";

interface OverviewProps {
  run: Run;
  task: TaskRun;
  entry: TaskEntry | null;
  course: Course | null;
  onPart: (part: string) => void;
}

/** What a task does or did: speed while it is at work, the proof when it has ended, and the facts. */
export function Overview({ run, task, entry, course, onPart }: OverviewProps) {
  const proof = proofOf(task.outputs);
  const isOpen = task.state === "queued" || task.state === "waiting";
  return (
    <div className="flex min-h-0 grow flex-col gap-5 overflow-y-auto px-4 py-4 sm:px-6">
      {isOpen && <Why run={run} task={task} />}
      {task.state === "skipped" && (
        <p className="text-ink-2">Not tried, because of how the tasks before it ended.</p>
      )}
      {course && <LiveMetrics course={course} />}
      {proof && <Proof proof={proof} onRejected={() => onPart("rows")} />}
      <Facts task={task} entry={entry} />
      {!proof && <Outputs outputs={task.outputs} />}
    </div>
  );
}

function Why({ run, task }: { run: Run; task: TaskRun }) {
  const { data } = useQuery(whyTaskOptions(run.id, task.id));
  return (
    <p role="status" className="flex min-h-[18px] items-start gap-1.5">
      <Hourglass className="mt-0.5 size-3.5 shrink-0 text-ink-2" aria-hidden />
      {data ? data.why.charAt(0).toUpperCase() + data.why.slice(1) : "Waiting"}
    </p>
  );
}

function Facts({ task, entry }: { task: TaskRun; entry: TaskEntry | null }) {
  const { data: workers } = useQuery({
    ...workersOptions,
    enabled: task.worker !== null && task.worker !== undefined,
  });
  const worker = workers?.items.find((one) => one.id === task.worker);
  const facts: [string, ReactNode][] = [];
  if (entry?.summary)
    facts.push([
      "What it does",
      <span key="does" className="font-mono text-xs wrap-anywhere">
        {entry.summary}
      </span>,
    ]);
  if (entry && entry.after.length > 0)
    facts.push(["After", entry.after.map((name) => <TaskLink key={name} task={name} />)]);
  if (task.started_at) facts.push(["Started", <Time key="started" at={task.started_at} />]);
  if (task.ended_at) facts.push(["Ended", <Time key="ended" at={task.ended_at} />]);
  if (task.attempt > 0) facts.push(["Attempts", attempts(task)]);
  if (task.worker)
    facts.push([
      "Worker",
      worker ? (
        <span key="worker" title={worker.host}>
          {worker.name}
        </span>
      ) : (
        `no longer there (${task.worker})`
      ),
    ]);
  return (
    <dl className="grid grid-cols-[auto_1fr] gap-x-6 gap-y-1.5">
      {facts.map(([name, value]) => (
        <div key={name} className="contents">
          <dt className="text-ink-2">{name}</dt>
          <dd className="min-w-0">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function TaskLink({ task }: { task: string }) {
  return (
    <Link
      to="."
      search={(before: object) =>
        ({ ...before, task, item: undefined, part: undefined, line: undefined }) as never
      }
      className="mr-2 text-accent hover:underline"
    >
      {task}
    </Link>
  );
}

function attempts({ attempt, failed, lost }: TaskRun): string {
  const parts = [String(attempt)];
  if (failed > 0) parts.push(`${failed} failed`);
  if (lost > 0) parts.push(`${lost} lost with its worker`);
  return parts.join(", ");
}
