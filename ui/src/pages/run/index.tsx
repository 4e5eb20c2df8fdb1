import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { ApiError } from "../../api/error";
import { versionOptions } from "../../api/queries/documents";
import { runOptions, runTasksOptions } from "../../api/queries/runs";
import { useLiveRun } from "../../api/use-live";
import { useRunProgress } from "../../api/use-run-progress";
import { ErrorState } from "../../components/ErrorState";
import { NotFound } from "../../components/NotFound";
import { RunBody } from "./RunBody";
import { RunHeader } from "./RunHeader";
import { RunSkeleton } from "./RunSkeleton";

/** One run: how it goes or went, task by task, live. */
export default function RunPage() {
  const { id } = useParams({ strict: false }) as { id: string };
  return /^\d{1,15}$/.test(id) ? <OneRun key={id} id={Number(id)} /> : <NotFound />;
}

function OneRun({ id }: { id: number }) {
  useLiveRun(id);
  const run = useQuery(runOptions(id));
  const tasks = useQuery(runTasksOptions(id));
  // the document is read beside the tasks: what is shown of them depends on both
  const { pipeline = "", version = 0 } = run.data ?? {};
  useQuery({ ...versionOptions(pipeline, version), enabled: run.data !== undefined });
  const courses = useRunProgress(id, tasks.data?.items);

  if (run.error instanceof ApiError && run.error.status === 404) return <NotFound />;
  if (run.error && !run.data) return <ErrorState error={run.error} onRetry={() => void run.refetch()} />;
  if (tasks.error && !tasks.data)
    return <ErrorState error={tasks.error} onRetry={() => void tasks.refetch()} />;
  if (!run.data || !tasks.data) return <RunSkeleton />;
  return (
    <div className="flex min-h-full flex-col lg:h-full">
      <RunHeader run={run.data} tasks={tasks.data.items} />
      <RunBody run={run.data} tasks={tasks.data.items} courses={courses} />
    </div>
  );
}
