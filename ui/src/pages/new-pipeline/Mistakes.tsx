import { Link } from "@tanstack/react-router";
import { CircleAlert } from "lucide-react";
import { messageOf } from "../../api/error";
import { Callout } from "../../components/Callout";
import { STEP_TITLES } from "./draft";
import type { PlacedMistake } from "./places";

interface MistakesProps {
  error: unknown;
  mistakes: readonly PlacedMistake[];
}

/** What is wrong, each mistake with the way to the step that can mend it. */
export function Mistakes({ error, mistakes }: MistakesProps) {
  if (mistakes.length === 0) return <Callout tone="fail">{messageOf(error)}</Callout>;
  return (
    <div role="alert" className="rounded border border-transparent bg-fail-soft px-3 py-2">
      <ul className="flex flex-col gap-2">
        {mistakes.map((mistake, index) => (
          <li key={index} className="flex gap-2">
            <CircleAlert className="mt-0.5 size-3.5 shrink-0 text-fail" aria-hidden />
            <div className="min-w-0 grow wrap-anywhere">
              <p>
                {mistake.stream && <span className="font-medium">{mistake.stream}: </span>}
                {mistake.message}
                {mistake.line !== null && <span className="text-ink-2"> (line {mistake.line})</span>}
              </p>
              {mistake.advice && <p className="text-ink-2">{mistake.advice}</p>}
            </div>
            {mistake.step && mistake.step !== "review" && (
              <Link
                to="/pipelines/new"
                search={{ step: mistake.step }}
                className="shrink-0 font-medium text-accent hover:underline"
              >
                Go to {STEP_TITLES[mistake.step].toLowerCase()}
              </Link>
            )}
          </li>
        ))}
      </ul>
    </div>
  );
}
