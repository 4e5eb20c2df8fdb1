import { Switch as Radix } from "radix-ui";
import { useFieldProps } from "./field-context";
import { Tooltip } from "./Tooltip";

interface SwitchProps {
  checked: boolean;
  onCheckedChange: (checked: boolean) => void;
  /** Its name, where no label stands beside it. */
  label?: string;
  /** Why it cannot be changed; disables it. */
  reason?: string | undefined;
}

/** On or off, at once. */
export function Switch({ checked, onCheckedChange, label, reason }: SwitchProps) {
  const field = useFieldProps();
  const control = (
    <Radix.Root
      {...field}
      checked={checked}
      onCheckedChange={(next) => !reason && onCheckedChange(next)}
      aria-label={label}
      aria-disabled={reason ? true : undefined}
      className="inline-flex h-4 w-7 shrink-0 items-center rounded-full bg-field-line p-0.5 transition-colors aria-disabled:opacity-50 data-[state=checked]:bg-accent"
    >
      <Radix.Thumb className="size-3 rounded-full bg-canvas transition-transform data-[state=checked]:translate-x-3" />
    </Radix.Root>
  );
  return reason ? <Tooltip text={reason}>{control}</Tooltip> : control;
}
