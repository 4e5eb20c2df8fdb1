import { useNavigate } from "@tanstack/react-router";
import { ArrowLeft, ArrowRight } from "lucide-react";
import type { ReactNode } from "react";
import { Button } from "../../components/Button";
import { STEP_TITLES, STEPS, type Step } from "./draft";

interface StepFooterProps {
  step: Step;
  /** Why the next step cannot be reached yet. */
  reason: string | undefined;
  /** In place of the button that leads on. */
  children?: ReactNode;
}

/** The way back and the way on. */
export function StepFooter({ step, reason, children }: StepFooterProps) {
  const navigate = useNavigate();
  const at = STEPS.indexOf(step);
  const [before, next] = [STEPS[at - 1], STEPS[at + 1]];
  const go = (to: Step) => void navigate({ to: "/pipelines/new", search: { step: to } });
  return (
    <footer className="flex flex-wrap items-center gap-2 border-t bg-canvas px-4 py-3 sm:px-6">
      {before && (
        <Button icon={ArrowLeft} look="ghost" onClick={() => go(before)}>
          <span className="max-sm:sr-only">{STEP_TITLES[before]}</span>
        </Button>
      )}
      <span className="min-w-0 grow truncate text-xs text-ink-3 sm:text-right">{children ? "" : reason}</span>
      {children ??
        (next && (
          <Button look="primary" reason={reason} onClick={() => go(next)}>
            Continue: {STEP_TITLES[next].toLowerCase()}
            <ArrowRight className="size-3.5" aria-hidden />
          </Button>
        ))}
    </footer>
  );
}
