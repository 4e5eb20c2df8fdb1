import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback } from "react";

/**
 * Filters of a list, kept in the URL, so that a link shows the same list. An empty value takes the filter away.
 * Typing replaces the entry in the history: one step back leaves the page.
 */
export function useUrlFilters<K extends string>(): [
  Partial<Record<K, string>>,
  (change: Partial<Record<K, string | undefined>>) => void,
] {
  const search: object = useSearch({ strict: false });
  const navigate = useNavigate();
  const set = useCallback(
    (change: Partial<Record<K, string | undefined>>) => {
      const merged = (before: Record<string, unknown>) => {
        const entries = Object.entries({ ...before, ...change }).filter(([, value]) => value);
        return Object.fromEntries(entries);
      };
      void navigate({ to: ".", search: merged as never, replace: true, resetScroll: false });
    },
    [navigate],
  );
  return [search as Partial<Record<K, string>>, set];
}
