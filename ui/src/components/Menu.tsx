import { Link, type LinkProps } from "@tanstack/react-router";
import type { LucideIcon } from "lucide-react";
import { DropdownMenu as Radix } from "radix-ui";
import type { ReactElement, ReactNode } from "react";
import { classes } from "./classes";

export interface MenuItem {
  label: ReactNode;
  icon?: LucideIcon;
  onSelect?: () => void;
  /** Leads to a page, in place of `onSelect`. */
  link?: LinkProps;
  danger?: boolean;
  /** Why it cannot be chosen; disables it, and is shown below it. */
  reason?: string | undefined;
}

interface MenuProps {
  /** The button that opens it. */
  trigger: ReactElement;
  /** What can be chosen; `"line"` separates groups. */
  items: (MenuItem | "line")[];
  /** Shown above the items. */
  heading?: ReactNode;
  align?: "start" | "end";
}

const ITEM =
  "flex min-h-8 w-full items-center gap-2 rounded-sm px-2 py-1 outline-none select-none data-highlighted:bg-hover data-disabled:text-ink-3";

/** A list of actions behind a button. */
export function Menu({ trigger, items, heading, align = "end" }: MenuProps) {
  return (
    <Radix.Root modal={false}>
      <Radix.Trigger asChild>{trigger}</Radix.Trigger>
      <Radix.Portal>
        <Radix.Content
          align={align}
          sideOffset={4}
          collisionPadding={8}
          className="z-50 min-w-44 rounded border bg-raised p-1 shadow-overlay"
        >
          {heading && <div className="border-b px-2 pt-1 pb-2 mb-1">{heading}</div>}
          {items.map((item, index) =>
            item === "line" ? (
              <Radix.Separator key={index} className="my-1 h-px bg-line" />
            ) : (
              <Entry key={index} {...item} />
            ),
          )}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

function Entry({ label, icon: Icon, onSelect, link, danger, reason }: MenuItem) {
  const inside = (
    <>
      {Icon && <Icon className="size-3.5 shrink-0" aria-hidden />}
      <span className="min-w-0">
        {label}
        {reason && <span className="block text-xs">{reason}</span>}
      </span>
    </>
  );
  const look = classes(ITEM, danger && !reason ? "text-fail" : "text-ink");
  return link ? (
    <Radix.Item asChild disabled={Boolean(reason)} className={look}>
      <Link {...link}>{inside}</Link>
    </Radix.Item>
  ) : (
    <Radix.Item disabled={Boolean(reason)} onSelect={onSelect} className={look}>
      {inside}
    </Radix.Item>
  );
}
