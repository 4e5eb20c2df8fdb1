import { ChevronDown } from "lucide-react";
import type { ComponentProps } from "react";
import { classes } from "./classes";
import { CONTROL, useFieldProps } from "./field-context";

export interface Option {
  value: string;
  label: string;
  disabled?: boolean;
}

interface SelectProps extends Omit<ComponentProps<"select">, "onChange" | "value"> {
  value: string;
  onValueChange: (value: string) => void;
  options: readonly Option[];
  /** Shown where nothing is chosen. */
  placeholder?: string;
}

/** One of several. The browser's own list: it is right for every keyboard, screen reader and phone. */
export function Select({ value, onValueChange, options, placeholder, className, ...rest }: SelectProps) {
  return (
    <div className={classes("relative", className)}>
      <select
        {...useFieldProps()}
        {...rest}
        value={value}
        onChange={(event) => onValueChange(event.target.value)}
        className={classes(CONTROL, "h-8 appearance-none truncate pr-7")}
      >
        {placeholder !== undefined && <option value="">{placeholder}</option>}
        {options.map((option) => (
          <option key={option.value} value={option.value} disabled={option.disabled}>
            {option.label}
          </option>
        ))}
      </select>
      <ChevronDown className="pointer-events-none absolute top-2.5 right-2 size-3.5 text-ink-3" aria-hidden />
    </div>
  );
}
