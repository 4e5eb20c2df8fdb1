import { useEffect, useRef, useState } from "react";
import { newestRuns, type RunFilter } from "../../api/queries/runs";
import { useLive } from "../../api/use-live";
import { isOfList, isToldByEvents } from "./new-runs";

/** Events come in storms; the server is asked once for each so long. */
const ASK_MS = 500;
/** Of more new runs it does not matter how many there are. */
const MADE_MAX = 1_000;

/** How many runs were made since a list was read that it would show. */
export function useNewRuns(filter: RunFilter, newest: number | undefined): number {
  const [made, setMade] = useState<ReadonlySet<number>>(new Set());
  const askSoon = useRef<() => void>(() => undefined);
  useEffect(() => {
    const ended = new AbortController();
    let timer: ReturnType<typeof setTimeout> | null = null;
    setMade(new Set());
    askSoon.current = () => {
      timer ??= setTimeout(() => {
        timer = null;
        newestRuns(filter, ended.signal)
          .then((runs) => !ended.signal.aborted && setMade(new Set(runs.map((run) => run.id))))
          // the next event asks again
          .catch(() => undefined);
      }, ASK_MS);
    };
    return () => {
      ended.abort();
      if (timer) clearTimeout(timer);
    };
  }, [filter]);
  useLive("runs", (event) => {
    if (event.kind !== "run" || newest === undefined || event.run <= newest || made.size >= MADE_MAX) return;
    if (!isOfList(event.pipeline, filter)) return;
    if (!isToldByEvents(filter, Date.now())) askSoon.current();
    else if (!made.has(event.run)) setMade(new Set(made).add(event.run));
  });
  return [...made].filter((run) => newest === undefined || run > newest).length;
}
