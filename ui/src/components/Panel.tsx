import { useId, type ReactNode } from "react";
import { classes } from "./classes";

interface PanelProps {
  title: ReactNode;
  /** At the right of the title: a link, a figure. */
  aside?: ReactNode;
  className?: string;
  children: ReactNode;
}

/** A part of a page with a title and a frame. */
export function Panel({ title, aside, className, children }: PanelProps) {
  const id = useId();
  return (
    <section
      aria-labelledby={id}
      className={classes("min-w-0 overflow-hidden rounded-lg border bg-canvas", className)}
    >
      <header className="flex h-10 items-center gap-2 border-b px-3">
        <h2 id={id} className="grow truncate font-semibold">
          {title}
        </h2>
        {aside && <div className="shrink-0 text-xs text-ink-2">{aside}</div>}
      </header>
      {children}
    </section>
  );
}
