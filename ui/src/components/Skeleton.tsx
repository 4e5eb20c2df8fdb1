import { classes } from "./classes";

/** A place that will be filled: give it the size of what comes. */
export function Skeleton({ className }: { className?: string }) {
  return (
    <span
      aria-hidden
      data-skeleton
      className={classes("block animate-slow-pulse rounded-sm bg-line", className)}
    />
  );
}
