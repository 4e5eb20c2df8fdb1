import type { ComponentProps } from "react";
import { classes } from "./classes";
import { CONTROL, useFieldProps } from "./field-context";

/** Several lines of text. */
export function TextArea({ className, rows = 4, ...rest }: ComponentProps<"textarea">) {
  return (
    <textarea
      {...useFieldProps()}
      rows={rows}
      {...rest}
      className={classes(CONTROL, "py-1.5 font-mono text-xs", className)}
    />
  );
}
