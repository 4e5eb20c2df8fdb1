import { Outlet, useMatches } from "@tanstack/react-router";
import { Tooltip } from "radix-ui";
import { useEffect } from "react";
import { Toasts } from "../Toasts";
import { useCrumbs } from "./use-crumbs";

/** What is around every page. */
export function Root() {
  useTitle();
  return (
    <Tooltip.Provider delayDuration={350} skipDelayDuration={200}>
      <Outlet />
      <Toasts />
    </Tooltip.Provider>
  );
}

/** The title of the window: the page first, as tabs are narrow. */
function useTitle(): void {
  const crumbs = useCrumbs(useMatches());
  const title = [...crumbs.map((crumb) => crumb.label).reverse(), "Levada"].join(" · ");
  useEffect(() => {
    document.title = title;
  }, [title]);
}
