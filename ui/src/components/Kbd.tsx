import type { ReactNode } from "react";

/** A key on the keyboard. */
export function Kbd({ children }: { children: ReactNode }) {
  return (
    <kbd className="inline-flex h-[18px] min-w-[18px] items-center justify-center rounded-sm border bg-sunken px-1 font-sans text-2xs text-ink-2">
      {children}
    </kbd>
  );
}
