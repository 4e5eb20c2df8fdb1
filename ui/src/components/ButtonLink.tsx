import { createLink } from "@tanstack/react-router";
import type { LucideIcon } from "lucide-react";
import type { ComponentProps } from "react";
import { buttonClasses, type ButtonLook } from "./button-classes";

interface AnchorProps extends ComponentProps<"a">, ButtonLook {
  icon?: LucideIcon;
}

function Anchor({ icon: Icon, look, size, className, children, ...rest }: AnchorProps) {
  return (
    <a {...rest} className={buttonClasses({ look, size }, className)}>
      {Icon && <Icon className="size-3.5 shrink-0" aria-hidden />}
      {children}
    </a>
  );
}

/** A link to another page that looks like a button. */
export const ButtonLink = createLink(Anchor);
