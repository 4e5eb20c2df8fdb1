import { useNavigate } from "@tanstack/react-router";
import { ChevronDown, CircleStop, Copy, Play, RotateCcw } from "lucide-react";
import { useState } from "react";
import { messageOf } from "../../api/error";
import type { Run, TaskRun } from "../../api/model";
import { useCancelRun, useRetryRun, type RetryRun } from "../../api/queries/runs";
import { Button } from "../../components/Button";
import { ConfirmDialog } from "../../components/ConfirmDialog";
import { Menu } from "../../components/Menu";
import { toast } from "../../components/toasts";
import { plural } from "../../format/numbers";
import { isOver } from "../../format/status";
import { useAllowed } from "../pipeline/use-allowed";
import { RunAgainDialog } from "./RunAgainDialog";

interface RunActionsProps {
  run: Run;
  tasks: TaskRun[];
}

/** What can be done about a run: stop it, or do it again, or a part of it. */
export function RunActions({ run, tasks }: RunActionsProps) {
  const navigate = useNavigate();
  const denial = useAllowed(run.pipeline, "operator");
  const cancel = useCancelRun();
  const retry = useRetryRun();
  const [dialog, setDialog] = useState<"cancel" | "again" | null>(null);
  const close = () => setDialog(null);
  const ended = isOver(run.state);
  const open = tasks.filter(
    (task) => task.state === "failed" || task.state === "cancelled" || task.state === "skipped",
  );

  const again = (what: Omit<RetryRun, "run">) =>
    retry.mutate(
      { run: run.id, ...what },
      {
        onSuccess: (made) => {
          toast(`Run ${made.id} was started.`, { tone: "ok" });
          void navigate({ to: "/runs/$id", params: { id: String(made.id) } });
        },
        onError: (error) => toast(messageOf(error), { tone: "fail" }),
      },
    );
  const copy = (text: string, what: string) => {
    void navigator.clipboard.writeText(text);
    toast(`${what} is copied.`, { tone: "ok" });
  };
  const curl = `curl -X POST -H "authorization: Bearer $TOKEN" -H 'content-type: application/json' ${window.location.origin}/api/v1/runs/${run.id}/retry -d '{"all": true}'`;

  return (
    <>
      <Menu
        trigger={
          <Button>
            More
            <ChevronDown className="size-3.5" aria-hidden />
          </Button>
        }
        items={[
          {
            label: "Run again with other parameters",
            icon: Play,
            reason: denial,
            onSelect: () => setDialog("again"),
          },
          {
            label: "Run everything again",
            icon: RotateCcw,
            reason: denial ?? (ended ? undefined : "The run has not ended."),
            onSelect: () => again({ all: true }),
          },
          {
            label: "Run everything again, newest version",
            icon: RotateCcw,
            reason: denial ?? (ended ? undefined : "The run has not ended."),
            onSelect: () => again({ all: true, newest: true }),
          },
          "line",
          { label: "Copy the run's number", icon: Copy, onSelect: () => copy(String(run.id), "The number") },
          {
            label: "Copy the command",
            icon: Copy,
            onSelect: () => copy(`levada show ${run.id}`, "The command"),
          },
          {
            label: "Copy curl that runs it again",
            icon: Copy,
            onSelect: () => copy(curl, "The curl command"),
          },
        ]}
      />
      {ended ? (
        run.state !== "succeeded" && (
          <Button
            look="primary"
            icon={RotateCcw}
            busy={retry.isPending}
            reason={denial}
            onClick={() => again({})}
          >
            {run.state === "failed" ? "Retry failed" : "Go on"}
          </Button>
        )
      ) : (
        <Button icon={CircleStop} busy={cancel.isPending} reason={denial} onClick={() => setDialog("cancel")}>
          Cancel
        </Button>
      )}
      <ConfirmDialog
        open={dialog === "cancel"}
        onOpenChange={close}
        title={`Cancel run ${run.id} of ${run.pipeline}?`}
        action="Cancel the run"
        onConfirm={() => cancel.mutateAsync(run.id)}
      >
        Tasks at work are stopped with their programs, and those that wait do not start. What was committed
        stays.
        {open.length > 0 && ` ${plural(open.length, "task")} had failed already.`}
      </ConfirmDialog>
      {dialog === "again" && <RunAgainDialog run={run} onClose={close} />}
    </>
  );
}
