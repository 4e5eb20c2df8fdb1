import { Check, Minus } from "lucide-react";
import { classes } from "../classes";

interface ChosenMarkProps {
  state: "none" | "some" | "all";
  onToggle: () => void;
}

/** The box in a row of a tree. The row itself is what keyboards and screen readers choose; this is for the pointer. */
export function ChosenMark({ state, onToggle }: ChosenMarkProps) {
  return (
    <span
      aria-hidden
      onClick={(event) => {
        event.stopPropagation();
        onToggle();
      }}
      className="-m-2 flex size-8 shrink-0 items-center justify-center"
    >
      <span
        className={classes(
          "flex size-4 items-center justify-center rounded-sm border",
          state === "none" ? "border-field-line bg-canvas" : "border-accent bg-accent text-on-accent",
        )}
      >
        {state === "all" && <Check className="size-3" />}
        {state === "some" && <Minus className="size-3" />}
      </span>
    </span>
  );
}
