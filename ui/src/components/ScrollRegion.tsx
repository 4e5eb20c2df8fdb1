import type { ReactNode } from "react";

/** A part of a page that scrolls sideways where it is too narrow; keys can scroll it too. */
export function ScrollRegion({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div role="region" aria-label={label} tabIndex={0} className="overflow-x-auto -outline-offset-2">
      {children}
    </div>
  );
}
