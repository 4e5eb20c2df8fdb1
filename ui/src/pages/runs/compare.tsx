import { useQuery } from "@tanstack/react-query";
import { Link, useSearch } from "@tanstack/react-router";
import { GitCompareArrows } from "lucide-react";
import { runOptions, runTasksOptions } from "../../api/queries/runs";
import { ButtonLink } from "../../components/ButtonLink";
import { EmptyState } from "../../components/EmptyState";
import { ErrorState } from "../../components/ErrorState";
import { PageHeader } from "../../components/PageHeader";
import { Panel } from "../../components/Panel";
import { Skeleton } from "../../components/Skeleton";
import { CompareFacts } from "./CompareFacts";
import { CompareTasks } from "./CompareTasks";

export default function CompareRunsPage() {
  const { a, b } = useSearch({ from: "/inside/runs/compare" });
  const [first, second] = [Number(a), Number(b)];
  if (!Number.isInteger(first) || !Number.isInteger(second) || !a || !b)
    return (
      <EmptyState
        icon={GitCompareArrows}
        title="Choose two runs to compare"
        action={
          <ButtonLink to="/runs" look="primary">
            Go to the runs
          </ButtonLink>
        }
      >
        Tick two rows in the list of runs.
      </EmptyState>
    );
  return <Comparison a={first} b={second} />;
}

function Comparison({ a, b }: { a: number; b: number }) {
  const runs = [useQuery(runOptions(a)), useQuery(runOptions(b))] as const;
  const tasks = [useQuery(runTasksOptions(a)), useQuery(runTasksOptions(b))] as const;
  const failed = [...runs, ...tasks].find((query) => query.error);
  if (failed) return <ErrorState error={failed.error} onRetry={() => void failed.refetch()} />;
  const [left, right] = [runs[0].data, runs[1].data];
  const [leftTasks, rightTasks] = [tasks[0].data?.items, tasks[1].data?.items];
  const title = (
    <>
      Run <RunLink id={a} /> and run <RunLink id={b} />
    </>
  );
  return (
    <>
      <PageHeader title={title} summary={left && right ? pipelinesOf(left.pipeline, right.pipeline) : ""} />
      <div className="flex flex-col gap-4 p-4 sm:p-6">
        <Panel title="Runs">
          {left && right ? <CompareFacts a={left} b={right} /> : <Skeleton className="m-3 h-40" />}
        </Panel>
        <Panel title="Tasks">
          {leftTasks && rightTasks ? (
            <CompareTasks a={leftTasks} b={rightTasks} labels={[`Run ${a}`, `Run ${b}`]} />
          ) : (
            <Skeleton className="m-3 h-24" />
          )}
        </Panel>
      </div>
    </>
  );
}

function RunLink({ id }: { id: number }) {
  return (
    <Link to="/runs/$id" params={{ id: String(id) }} className="hover:underline">
      {id}
    </Link>
  );
}

function pipelinesOf(a: string, b: string): string {
  return a === b ? `Both of ${a}` : `Of ${a}, and of ${b}`;
}
