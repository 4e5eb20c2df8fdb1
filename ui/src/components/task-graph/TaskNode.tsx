import { Handle, Position, type Node, type NodeProps } from "@xyflow/react";
import { Layers, TriangleAlert } from "lucide-react";
import { compact } from "../../format/numbers";
import { look } from "../../format/status";
import { classes } from "../classes";
import { Duration } from "../Duration";
import { TONE_ICONS, TONE_TEXT } from "../status-icons";
import { kindIcon } from "./kinds";
import { NODE_HEIGHT, NODE_WIDTH } from "./layout";
import { shownState, type GraphTask } from "./model";

export type TaskNodeData = GraphTask & { canConnect: boolean; isBarred: boolean };
export type TaskNodeType = Node<TaskNodeData & Record<string, unknown>, "task">;

const EDGES: Record<string, string> = {
  ok: "border-l-ok",
  run: "border-l-run",
  warn: "border-l-warn",
  fail: "border-l-fail",
};

/** A task: what it is, how it goes, and how far it is. */
export function TaskNode({ data, selected }: NodeProps<TaskNodeType>) {
  const { name, kind, summary, hasItems, taskRun, progress, mistake, hook, canConnect, isBarred } = data;
  const Icon = kindIcon(kind);
  const state = shownState(taskRun);
  const tone = state ? look(state).tone : null;
  const StateIcon = tone ? TONE_ICONS[tone] : null;
  const handle =
    canConnect && !hook
      ? "!size-3 !rounded-full !border-2 !border-canvas !bg-accent"
      : "!size-1 !rounded-full !border-0 !bg-line-strong";
  return (
    <div
      className={classes(
        "flex flex-col justify-center rounded border border-l-[3px] bg-raised px-2.5",
        (tone && EDGES[tone]) ?? "border-l-line-strong",
        selected ? "border-accent outline outline-accent" : "border-line-strong",
        hook && "border-dashed",
        mistake && "border-fail",
        isBarred && "opacity-35",
      )}
      style={{ width: NODE_WIDTH, height: NODE_HEIGHT }}
    >
      <Handle type="target" position={Position.Left} className={handle} isConnectable={canConnect && !hook} />
      <div className="flex items-center gap-1.5">
        <Icon className="size-3.5 shrink-0 text-ink-2" aria-hidden />
        <span className="truncate font-medium">{name}</span>
        <span className="ml-auto flex items-center gap-1">
          {mistake && <TriangleAlert className="size-3.5 shrink-0 text-fail" aria-label={mistake} />}
          {StateIcon && tone && state && (
            <StateIcon
              className={classes(
                "size-3.5 shrink-0",
                TONE_TEXT[tone],
                tone === "run" && "animate-slow-pulse",
              )}
              aria-label={look(state).word}
            />
          )}
        </span>
      </div>
      <div className="mt-0.5 flex items-center gap-1.5 text-2xs text-ink-2">
        <span className="min-w-0 grow truncate">
          {progress
            ? `${compact(progress.rows_per_second)} rows/s`
            : data.when
              ? data.when.replaceAll("_", " ")
              : summary}
        </span>
        {hasItems && (
          <span className="flex shrink-0 items-center gap-1" title="Run for each item">
            <Layers className="size-3" aria-hidden />
            {taskRun?.items && tally(taskRun.items)}
          </span>
        )}
        {taskRun?.started_at && (
          <span className="shrink-0">
            <Duration from={taskRun.started_at} to={taskRun.ended_at} />
          </span>
        )}
      </div>
      <Handle
        type="source"
        position={Position.Right}
        className={handle}
        isConnectable={canConnect && !hook}
      />
    </div>
  );
}

/** How many of the items have ended, of how many; failed ones stand out. */
function tally(items: NonNullable<NonNullable<GraphTask["taskRun"]>["items"]>) {
  const { queued, active, succeeded, failed, cancelled, skipped } = items;
  const ended = succeeded + failed + cancelled + skipped;
  return (
    <span className="tabular">
      {ended}/{ended + queued + active}
      {failed > 0 && <span className="ml-1 text-fail">{failed} failed</span>}
    </span>
  );
}
