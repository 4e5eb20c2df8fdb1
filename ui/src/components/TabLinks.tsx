import { Link, useLocation, type LinkProps } from "@tanstack/react-router";
import { useEffect, useRef, type ReactNode } from "react";
import { TAB, TAB_LIST } from "./tab-classes";

interface TabLinksProps {
  label: string;
  /** Which one is shown follows from the path; where it does not, say it. */
  items: { label: ReactNode; link: LinkProps; isActive?: boolean }[];
}

const ACTIVE = { "data-state": "active", "aria-current": "page" } as const;

const EXACT = { exact: true, includeSearch: true } as const;

/** Tabs with an address each, below a page's header. */
export function TabLinks({ label, items }: TabLinksProps) {
  const { href } = useLocation();
  const list = useRef<HTMLElement>(null);
  useEffect(() => {
    // where the row is too narrow, the one that is shown is in sight
    list.current
      ?.querySelector("[data-state=active]")
      ?.scrollIntoView({ inline: "nearest", block: "nearest" });
  }, [href, items.length]);
  return (
    <nav ref={list} aria-label={label} className={TAB_LIST}>
      {items.map((item, index) => (
        <Link
          key={index}
          {...item.link}
          {...(item.isActive === undefined
            ? { activeProps: ACTIVE }
            : { activeOptions: EXACT, ...(item.isActive && ACTIVE) })}
          className={TAB}
        >
          {item.label}
        </Link>
      ))}
    </nav>
  );
}
