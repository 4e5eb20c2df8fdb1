import { LoaderCircle, type LucideIcon } from "lucide-react";
import type { ComponentProps } from "react";
import { classes } from "./classes";
import { Tooltip } from "./Tooltip";

interface IconButtonProps extends Omit<ComponentProps<"button">, "disabled"> {
  icon: LucideIcon;
  /** What it does: its name for screen readers, and its tooltip. */
  label: string;
  busy?: boolean;
  /** Why it cannot be used; disables it. */
  reason?: string | undefined;
  size?: "small" | "medium";
}

/** A button with an icon alone. */
export function IconButton({
  icon,
  label,
  busy,
  reason,
  size = "medium",
  className,
  ...rest
}: IconButtonProps) {
  const Icon = busy ? LoaderCircle : icon;
  const isOff = Boolean(reason) || busy;
  return (
    <Tooltip text={reason ?? label}>
      <button
        type="button"
        {...rest}
        aria-label={label}
        aria-disabled={isOff || undefined}
        onClick={isOff ? (event) => event.preventDefault() : rest.onClick}
        className={classes(
          "inline-flex shrink-0 items-center justify-center rounded text-ink-2 transition-colors",
          "not-aria-disabled:hover:bg-hover not-aria-disabled:hover:text-ink aria-disabled:opacity-50",
          size === "small" ? "size-6" : "size-8",
          className,
        )}
      >
        <Icon
          className={classes(size === "small" ? "size-3.5" : "size-4", busy && "animate-spin")}
          aria-hidden
        />
      </button>
    </Tooltip>
  );
}
