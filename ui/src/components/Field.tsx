import { useId, type ReactElement, type ReactNode } from "react";
import { FieldContext } from "./field-context";

interface FieldProps {
  label: string;
  /** One line that explains it. */
  hint?: ReactNode;
  error?: ReactNode;
  optional?: boolean | undefined;
  className?: string;
  /** The control: `Input`, `Select`, `TextArea`, `SecretInput`. It takes its id and its error from here. */
  children: ReactElement;
}

/** A control with its label, its explanation, and its error right below it. */
export function Field({ label, hint, error, optional, className, children }: FieldProps) {
  const id = useId();
  const describedBy = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ") || undefined;
  return (
    <div className={className}>
      <label htmlFor={id} className="mb-1 flex items-baseline gap-2 font-medium">
        {label}
        {optional && <span className="text-xs font-normal text-ink-3">optional</span>}
      </label>
      <FieldContext value={{ id, describedBy, isWrong: Boolean(error) }}>{children}</FieldContext>
      {error && (
        <p id={`${id}-error`} role="alert" className="mt-1 text-xs text-fail wrap-anywhere">
          {error}
        </p>
      )}
      {hint && (
        <p id={`${id}-hint`} className="mt-1 text-xs text-ink-3">
          {hint}
        </p>
      )}
    </div>
  );
}
