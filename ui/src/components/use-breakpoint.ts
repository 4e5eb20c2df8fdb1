import { useSyncExternalStore } from "react";
import type { Breakpoint } from "./table-columns";

/** The widths from which on each one counts, as Tailwind has them. */
const WIDTHS: Record<Breakpoint, number> = { sm: 640, md: 768, lg: 1024, xl: 1280 };
const QUERIES = Object.values(WIDTHS).map((width) => window.matchMedia(`(min-width: ${width}px)`));

/** The width of the window, rounded down to a breakpoint: whether something fits is `useWidth() >= breakpoint("md")`. */
export function useWidth(): number {
  return useSyncExternalStore(
    (watcher) => {
      QUERIES.forEach((query) => query.addEventListener("change", watcher));
      return () => QUERIES.forEach((query) => query.removeEventListener("change", watcher));
    },
    () => Math.max(0, ...Object.values(WIDTHS).filter((_, index) => QUERIES[index]?.matches)),
  );
}

export function breakpoint(name: Breakpoint): number {
  return WIDTHS[name];
}
