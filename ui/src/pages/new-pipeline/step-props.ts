import type { Draft } from "./draft";

export interface StepProps {
  draft: Draft;
  /** Takes the draft as it is to be, or how to make it of the one before. */
  onChange: (change: Draft | ((before: Draft) => Draft)) => void;
}
