import { useNavigate } from "@tanstack/react-router";
import { Play } from "lucide-react";
import type { PipelineItem } from "../../api/model";
import { messageOf } from "../../api/error";
import { usePausePipeline } from "../../api/queries/pipelines";
import { useStartRun } from "../../api/queries/runs";
import { IconButton } from "../../components/IconButton";
import { Switch } from "../../components/Switch";
import { toast } from "../../components/toasts";

/** Switches a pipeline on and off, and runs it now. */
export function RowActions({ pipeline: { name, paused, may } }: { pipeline: PipelineItem }) {
  const pause = usePausePipeline();
  const start = useStartRun();
  const navigate = useNavigate();
  const reason = may === "viewer" ? "This takes the role operator." : undefined;
  const isPaused = pause.isPending ? pause.variables.paused : paused;

  const toggle = (isOn: boolean) =>
    pause.mutate(
      { pipeline: name, paused: !isOn },
      { onError: (error) => toast(messageOf(error), { tone: "fail" }) },
    );
  const runNow = () =>
    start.mutate(
      { pipeline: name },
      {
        onSuccess: (run) =>
          toast(`Run ${run.id} of ${name} has started.`, {
            tone: "ok",
            action: {
              label: "Open",
              run: () => void navigate({ to: "/runs/$id", params: { id: String(run.id) } }),
            },
          }),
        onError: (error) => toast(messageOf(error), { tone: "fail" }),
      },
    );
  return (
    <span className="flex items-center justify-end gap-2">
      <Switch
        checked={!isPaused}
        onCheckedChange={toggle}
        label={isPaused ? `Switch ${name} on` : `Switch ${name} off`}
        reason={reason}
      />
      <IconButton
        icon={Play}
        label={`Run ${name} now`}
        size="small"
        busy={start.isPending}
        reason={reason}
        onClick={runNow}
      />
    </span>
  );
}
