import { createContext, use } from "react";

interface FieldContextValue {
  id: string | undefined;
  describedBy: string | undefined;
  isWrong: boolean;
}

export const FieldContext = createContext<FieldContextValue>({
  id: undefined,
  describedBy: undefined,
  isWrong: false,
});

/** What ties a control to the label and the error of the field around it. */
export function useFieldProps() {
  const { id, describedBy, isWrong } = use(FieldContext);
  return { id, "aria-describedby": describedBy, "aria-invalid": isWrong || undefined };
}

/** The looks of every control that takes text. */
export const CONTROL =
  "w-full rounded border border-field-line bg-canvas px-2.5 text-sm text-ink focus:border-accent focus:outline-none " +
  "focus:ring-2 focus:ring-accent/30 aria-invalid:border-fail disabled:bg-sunken disabled:text-ink-3";
