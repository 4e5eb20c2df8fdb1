import { Check, Minus } from "lucide-react";
import { Checkbox as Radix } from "radix-ui";
import { useId, type ReactNode } from "react";

interface CheckboxProps {
  /** `"indeterminate"` where only a part of what it stands for is chosen. */
  checked: boolean | "indeterminate";
  onCheckedChange: (checked: boolean) => void;
  disabled?: boolean;
  /** Words beside it; give `label` instead where there is no room. */
  children?: ReactNode;
  label?: string;
}

/** Chosen or not. */
export function Checkbox({ checked, onCheckedChange, disabled, children, label }: CheckboxProps) {
  const id = useId();
  const box = (
    <Radix.Root
      id={id}
      checked={checked}
      disabled={disabled}
      onCheckedChange={(next) => onCheckedChange(next === true)}
      aria-label={label}
      className="flex size-4 shrink-0 items-center justify-center rounded-sm border border-field-line bg-canvas text-on-accent disabled:opacity-50 data-[state=checked]:border-accent data-[state=checked]:bg-accent data-[state=indeterminate]:border-accent data-[state=indeterminate]:bg-accent"
    >
      <Radix.Indicator>
        {checked === "indeterminate" ? (
          <Minus className="size-3" aria-hidden />
        ) : (
          <Check className="size-3" aria-hidden />
        )}
      </Radix.Indicator>
    </Radix.Root>
  );
  if (!children) return box;
  return (
    <div className="flex items-start gap-2 py-0.5">
      <span className="flex h-[18px] items-center">{box}</span>
      <label htmlFor={id} className="min-w-0">
        {children}
      </label>
    </div>
  );
}
