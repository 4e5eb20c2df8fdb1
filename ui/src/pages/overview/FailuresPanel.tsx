import { Link, useNavigate } from "@tanstack/react-router";
import { RotateCcw } from "lucide-react";
import type { Failure } from "../../api/model";
import { messageOf } from "../../api/error";
import { useRetryRun } from "../../api/queries/runs";
import { useMe } from "../../api/queries/session";
import { hasRoleSomewhere } from "../../api/roles";
import { Button } from "../../components/Button";
import { Panel } from "../../components/Panel";
import { Status } from "../../components/Status";
import { Time } from "../../components/Time";
import { toast } from "../../components/toasts";
import { groupFailures } from "./failure-groups";
import { PanelRows } from "./PanelRows";

/** What failed in the last 24 hours, with the first line of why; what has recovered since stands back. */
export function FailuresPanel({ failures }: { failures: Failure[] | undefined }) {
  return (
    <Panel
      title="Failures"
      aside={
        <span className="flex gap-3">
          <Link to="/logs" className="text-accent hover:underline">
            Warnings and errors
          </Link>
          <Link to="/runs" search={{ state: "failed" }} className="text-accent hover:underline">
            All failed runs
          </Link>
        </span>
      }
    >
      <PanelRows
        rows={failures && groupFailures(failures)}
        rowKey={(group) => String(group.newest.run)}
        empty="Nothing failed in the last 24 hours."
      >
        {({ newest, times }) => <Row failure={newest} times={times} />}
      </PanelRows>
    </Panel>
  );
}

function Row({ failure, times }: { failure: Failure; times: number }) {
  const { run, pipeline, task, error, ended_at, recovered } = failure;
  const retry = useRetryRun();
  const navigate = useNavigate();
  const isOperator = hasRoleSomewhere(useMe(), "operator");
  const params = { id: String(run) };
  const again = () =>
    retry.mutate(
      { run },
      {
        onSuccess: (made) => void navigate({ to: "/runs/$id", params: { id: String(made.id) } }),
        onError: (failure_) => toast(messageOf(failure_), { tone: "fail" }),
      },
    );
  return (
    <div className="flex items-start gap-3">
      <div className="min-w-0 grow">
        <p className="flex flex-wrap items-center gap-x-2">
          <Status state={recovered ? "succeeded" : "failed"} word={recovered ? "Recovered" : "Failed"} />
          <Link
            to="/runs/$id"
            params={params}
            search={task ? { task } : {}}
            className="font-medium wrap-anywhere hover:underline"
          >
            {pipeline}
          </Link>
          {task && <span className="text-ink-2">{task}</span>}
          <span className="text-xs text-ink-3">
            run {run}, <Time at={ended_at} />
            {times > 1 && `, ${times} times`}
          </span>
        </p>
        {error && (
          <p className="mt-0.5 font-mono text-xs wrap-anywhere text-ink-2">{withoutTask(error, task)}</p>
        )}
      </div>
      {!recovered && isOperator && (
        <Button size="small" icon={RotateCcw} busy={retry.isPending} onClick={again}>
          Retry
        </Button>
      )}
    </div>
  );
}

/** The error without the task, whose name stands above it. */
function withoutTask(error: string, task: string | null | undefined): string {
  const start = `task \`${task}\`: `;
  return error.startsWith(start) ? error.slice(start.length) : error;
}
