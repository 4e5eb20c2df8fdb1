import type { ComponentProps } from "react";
import { classes } from "./classes";
import { CONTROL, useFieldProps } from "./field-context";

/** A line of text. */
export function Input({ className, ...rest }: ComponentProps<"input">) {
  return <input {...useFieldProps()} {...rest} className={classes(CONTROL, "h-8", className)} />;
}
