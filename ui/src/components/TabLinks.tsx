import { Link, type LinkProps } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { TAB, TAB_LIST } from "./tab-classes";

interface TabLinksProps {
  label: string;
  items: { label: ReactNode; link: LinkProps }[];
}

/** Tabs with an address each, below a page's header. */
export function TabLinks({ label, items }: TabLinksProps) {
  return (
    <nav aria-label={label} className={TAB_LIST}>
      {items.map((item, index) => (
        <Link
          key={index}
          {...item.link}
          activeProps={{ "data-state": "active", "aria-current": "page" }}
          className={TAB}
        >
          {item.label}
        </Link>
      ))}
    </nav>
  );
}
