import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Pause, Play } from "lucide-react";
import type { Hit } from "../../api/model";
import { messageOf } from "../../api/error";
import { pipelineItemOptions } from "../../api/queries/pipeline-item";
import { usePausePipeline } from "../../api/queries/pipelines";
import { useStartRun } from "../../api/queries/runs";
import { useMe } from "../../api/queries/session";
import { hasRole } from "../../api/roles";
import { toast } from "../toasts";
import type { Command } from "./commands";

/** Of so many of those found, a run is offered. */
const STARTED_MAX = 3;

/**
 * What can be done with the pipelines that are found: run them, and pause the first, or let it go on. Without any, the
 * same is offered of the pipeline whose page is open.
 */
export function usePipelineCommands(hits: Hit[], open: string | undefined): Command[] {
  const me = useMe();
  const navigate = useNavigate();
  const start = useStartRun();
  const pause = usePausePipeline();
  const found = hits
    .filter((hit) => hit.kind === "pipeline" && hasRole(me, "operator", hit.detail?.split(", ")))
    .map((hit) => hit.name);
  const first = found[0] ?? open;
  const { data: item } = useQuery({ ...pipelineItemOptions(first ?? ""), enabled: first !== undefined });
  const fail = (error: Error) => toast(messageOf(error), { tone: "fail" });

  const runNow = (pipeline: string) => () =>
    start.mutate(
      { pipeline },
      {
        onSuccess: (run) => void navigate({ to: "/runs/$id", params: { id: String(run.id) } }),
        onError: fail,
      },
    );
  // the page of a pipeline may be open to somebody who may only look at it
  const isOffered = item && hasRole(me, "operator", item.tags);
  const started = found.length > 0 ? found.slice(0, STARTED_MAX) : isOffered ? [item.name] : [];
  const starts = started.map((name) => ({
    id: `start ${name}`,
    title: `Run ${name} now`,
    icon: Play,
    run: runNow(name),
  }));
  if (!isOffered) return starts;
  const { name, paused } = item;
  const toggle = {
    id: `pause ${name}`,
    title: paused ? `Let ${name} go on` : `Pause ${name}`,
    icon: paused ? Play : Pause,
    run: () =>
      pause.mutate(
        { pipeline: name, paused: !paused },
        {
          onSuccess: () =>
            toast(paused ? `${name} goes on.` : `${name} is paused: nothing of it starts.`, { tone: "ok" }),
          onError: fail,
        },
      ),
  };
  return [...starts, toggle];
}
