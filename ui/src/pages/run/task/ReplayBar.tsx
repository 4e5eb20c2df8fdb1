import { RotateCcw } from "lucide-react";
import type { ReactNode } from "react";
import { messageOf } from "../../../api/error";
import type { Run } from "../../../api/model";
import { useReplay } from "../../../api/queries/run-parts";
import { Button } from "../../../components/Button";
import { Callout } from "../../../components/Callout";
import { CopyButton } from "../../../components/CopyButton";
import { useAllowed } from "../../pipeline/use-allowed";
import { replayOutcome } from "./replay-outcome";

interface ReplayBarProps {
  run: Run;
  task: string;
  stream: string;
  /** What stands before the button. */
  children: ReactNode;
}

/** Loads the rows of a stream that are in the quarantine again, and tells what became of them. */
export function ReplayBar({ run, task, stream, children }: ReplayBarProps) {
  const denial = useAllowed(run.pipeline, "operator");
  const replay = useReplay(run.id);
  const outcome = replay.data && replayOutcome(replay.data);
  return (
    <>
      <div className="flex flex-wrap items-center gap-2 border-b px-4 py-1.5 sm:px-6">
        {children}
        <span className="ml-auto flex items-center gap-2">
          <CopyButton text={`levada replay ${run.id}`} what="the command" withWords />
          <Button
            size="small"
            icon={RotateCcw}
            busy={replay.isPending}
            reason={denial}
            onClick={() => replay.mutate({ task, stream })}
          >
            Load again
          </Button>
        </span>
      </div>
      {(outcome || replay.error) && (
        <div role="status" className="border-b px-4 py-2 sm:px-6">
          {outcome ? (
            <Callout tone={outcome.tone} title={outcome.title}>
              {outcome.advice}
            </Callout>
          ) : (
            <Callout tone="fail" title="The rows were not loaded again">
              {messageOf(replay.error)}
            </Callout>
          )}
        </div>
      )}
    </>
  );
}
