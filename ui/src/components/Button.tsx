import { LoaderCircle, type LucideIcon } from "lucide-react";
import type { ComponentProps } from "react";
import { buttonClasses, type ButtonLook } from "./button-classes";
import { Tooltip } from "./Tooltip";

interface ButtonProps extends Omit<ComponentProps<"button">, "disabled">, ButtonLook {
  icon?: LucideIcon;
  /** Something is under way: shows it, and takes no second click. */
  busy?: boolean;
  disabled?: boolean;
  /** Why it cannot be used; disables it, and stays reachable so that the reason can be read. */
  reason?: string | undefined;
}

/** A button with words. */
export function Button({
  icon: Icon,
  busy,
  disabled,
  reason,
  look,
  size,
  className,
  children,
  ...rest
}: ButtonProps) {
  const isOff = Boolean(reason ?? disabled) || busy;
  const button = (
    <button
      type="button"
      {...rest}
      aria-disabled={isOff || undefined}
      onClick={isOff ? (event) => event.preventDefault() : rest.onClick}
      className={buttonClasses({ look, size }, className)}
    >
      {busy ? (
        <LoaderCircle className="size-3.5 animate-spin" aria-hidden />
      ) : (
        Icon && <Icon className="size-3.5 shrink-0" aria-hidden />
      )}
      {children}
    </button>
  );
  return reason ? <Tooltip text={reason}>{button}</Tooltip> : button;
}
