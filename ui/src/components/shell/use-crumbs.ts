import type { useMatches } from "@tanstack/react-router";
import type { Crumb } from "../../routes";

/** The way to the page that is shown. */
export function useCrumbs(matches: ReturnType<typeof useMatches>): Crumb[] {
  const match = matches.at(-1);
  return match?.staticData.crumbs?.(match.params as Record<string, string>) ?? [];
}
