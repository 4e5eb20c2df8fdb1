import { CircleCheck, CircleX, LoaderCircle } from "lucide-react";
import type { Tested } from "../../api/model";
import { duration } from "../../format/durations";
import { classes } from "../classes";

interface TestStepsProps {
  tested: Tested | undefined;
  isTesting: boolean;
}

const WORDS: Record<string, string> = {
  name: "Find the address",
  tcp: "Reach it",
  tls: "Encrypt",
  auth: "Sign in",
  read: "Read",
  write: "Write",
  time: "Answer in time",
};

/** What a test of a connection tried, step by step, and what to do about the step that failed. */
export function TestSteps({ tested, isTesting }: TestStepsProps) {
  if (isTesting)
    return (
      <p role="status" className="flex items-center gap-2 px-3 py-3 text-ink-2">
        <LoaderCircle className="size-3.5 animate-spin" aria-hidden />
        Trying the connection, step by step
      </p>
    );
  if (!tested) return null;
  return (
    <ol role="status" className="flex flex-col">
      {tested.steps.map((step) => {
        const Icon = step.error ? CircleX : CircleCheck;
        return (
          <li key={step.step} className="flex gap-2 border-b px-3 py-2 last:border-0">
            <Icon
              className={classes("mt-0.5 size-3.5 shrink-0", step.error ? "text-fail" : "text-ok")}
              aria-hidden
            />
            <div className="min-w-0 grow">
              <p className="flex items-baseline gap-2">
                <span className="grow font-medium">
                  {WORDS[step.step] ?? step.step}
                  <span className="sr-only">{step.error ? ": failed" : ": done"}</span>
                </span>
                <span className="tabular text-xs whitespace-nowrap text-ink-3">{duration(step.ms)}</span>
              </p>
              {step.found && <p className="text-xs text-ink-2 wrap-anywhere">{step.found}</p>}
              {step.error && (
                <div className="mt-0.5 wrap-anywhere">
                  <p className="text-fail">{step.error.message}</p>
                  {step.error.advice && <p className="mt-0.5 text-ink-2">{step.error.advice}</p>}
                </div>
              )}
            </div>
          </li>
        );
      })}
    </ol>
  );
}
