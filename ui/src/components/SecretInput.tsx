import { Eye, EyeOff } from "lucide-react";
import { useState, type ComponentProps } from "react";
import { classes } from "./classes";
import { CONTROL, useFieldProps } from "./field-context";
import { IconButton } from "./IconButton";

/** A password or a key. What is typed can be looked at; what is stored never comes here. */
export function SecretInput({ className, ...rest }: ComponentProps<"input">) {
  const [isShown, setShown] = useState(false);
  return (
    <div className="relative">
      <input
        {...useFieldProps()}
        autoComplete="off"
        spellCheck={false}
        {...rest}
        type={isShown ? "text" : "password"}
        className={classes(CONTROL, "h-8 pr-9", className)}
      />
      <IconButton
        icon={isShown ? EyeOff : Eye}
        label={isShown ? "Hide what is typed" : "Show what is typed"}
        size="small"
        className="absolute top-1 right-1"
        onClick={() => setShown(!isShown)}
      />
    </div>
  );
}
