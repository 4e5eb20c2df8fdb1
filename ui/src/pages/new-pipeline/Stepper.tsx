import { Link } from "@tanstack/react-router";
import { Check } from "lucide-react";
import { classes } from "../../components/classes";
import { missing, reachable, STEP_TITLES, STEPS, type Draft, type Step } from "./draft";

interface StepperProps {
  draft: Draft;
  current: Step;
}

/** The steps of the guide; those that can be reached are links. */
export function Stepper({ draft, current }: StepperProps) {
  const at = STEPS.indexOf(current);
  return (
    <nav aria-label="Steps" className="-mx-1 overflow-x-auto pb-2 [scrollbar-width:none]">
      <p className="px-1 text-ink-2 sm:hidden">
        Step {at + 1} of {STEPS.length}: <span className="font-medium text-ink">{STEP_TITLES[current]}</span>
      </p>
      <ol className="hidden items-center gap-1 sm:flex">
        {STEPS.map((step, index) => {
          const isReachable = reachable(draft, step) === step;
          const isDone = index < at && !missing(draft, step);
          const inside = (
            <>
              <span
                className={classes(
                  "flex size-5 items-center justify-center rounded-full border text-2xs font-semibold",
                  step === current
                    ? "border-accent bg-accent text-on-accent"
                    : isDone
                      ? "border-accent text-accent"
                      : "border-line-strong text-ink-3",
                )}
              >
                {isDone ? <Check className="size-3" aria-label="done" /> : index + 1}
              </span>
              {STEP_TITLES[step]}
            </>
          );
          const look = "flex items-center gap-1.5 rounded px-1.5 py-1 whitespace-nowrap";
          return (
            <li key={step} className="flex items-center gap-1">
              {index > 0 && <span aria-hidden className="h-px w-3 bg-line-strong lg:w-5" />}
              {isReachable ? (
                <Link
                  to="/pipelines/new"
                  search={{ step }}
                  aria-current={step === current ? "step" : undefined}
                  className={classes(
                    look,
                    step === current ? "font-semibold" : "text-ink-2 hover:bg-hover hover:text-ink",
                  )}
                >
                  {inside}
                </Link>
              ) : (
                <span className={classes(look, "text-ink-3")}>{inside}</span>
              )}
            </li>
          );
        })}
      </ol>
    </nav>
  );
}
