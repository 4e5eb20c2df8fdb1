import { useSyncExternalStore } from "react";

interface Clock {
  now: number;
  watchers: Set<() => void>;
  timer: ReturnType<typeof setInterval> | null;
}

const clocks = new Map<number, Clock>();

/** The time, told every `stepMs`. All components with one step share a timer, so that they change together. */
export function useNow(stepMs: number): number {
  const clock = clockOf(stepMs);
  return useSyncExternalStore(
    (watcher) => watch(clock, stepMs, watcher),
    () => clock.now,
  );
}

function clockOf(stepMs: number): Clock {
  const known = clocks.get(stepMs) ?? { now: Date.now(), watchers: new Set(), timer: null };
  clocks.set(stepMs, known);
  // a clock that nobody watched has stood still
  if (known.timer === null && Date.now() - known.now >= stepMs) known.now = Date.now();
  return known;
}

function watch(clock: Clock, stepMs: number, watcher: () => void): () => void {
  clock.watchers.add(watcher);
  clock.timer ??= setInterval(() => {
    clock.now = Date.now();
    clock.watchers.forEach((told) => told());
  }, stepMs);
  return () => {
    clock.watchers.delete(watcher);
    if (clock.watchers.size > 0 || clock.timer === null) return;
    clearInterval(clock.timer);
    clock.timer = null;
  };
}
