import { useCallback, useEffect, useRef, useState } from "react";
import type { LogLine, LogOf } from "../../api/model-logs";
import { readLog } from "../../api/queries/logs";
import { useDebounced } from "../use-debounced";
import { filterOf, isAsked, LogSearch, type Found, type LogQuery } from "./log-search";

interface LogSearchState {
  found: Found | null;
  error: unknown;
  /** Looks at a line that was written meanwhile. */
  look: (line: LogLine) => void;
  /** Finds more matches, where they are not all here. */
  more: () => void;
}

/** Has the server look through a log for what is asked, anew when that changes. */
export function useLogSearch(log: LogOf, query: LogQuery): LogSearchState {
  const [found, setFound] = useState<Found | null>(null);
  const [error, setError] = useState<unknown>(null);
  const text = useDebounced(query.text, 250);
  const { lines } = query;
  const { run, task, item, attempt } = log;
  const search = useRef<LogSearch | null>(null);
  const goOn = useRef<() => void>(() => undefined);

  useEffect(() => {
    const asked = { text, lines };
    setFound(null);
    setError(null);
    if (!isAsked(asked)) return undefined;
    const ended = new AbortController();
    const filter = filterOf(asked);
    let which: LogOf = { run, task, item, attempt };
    const read = async (from: number, limit: number) => {
      const page = await readLog(which, { from, limit, ...filter }, ended.signal);
      // the pages that follow are of the same attempt
      which = { ...which, attempt: page.attempt };
      return page;
    };
    const made = new LogSearch(filter, read, (told) => !ended.signal.aborted && setFound(told));
    search.current = made;
    goOn.current = () =>
      void made.more().catch((failure: unknown) => !ended.signal.aborted && setError(failure));
    goOn.current();
    return () => {
      ended.abort();
      search.current = null;
      goOn.current = () => undefined;
    };
  }, [run, task, item, attempt, text, lines]);

  const look = useCallback((line: LogLine) => search.current?.look(line), []);
  const more = useCallback(() => goOn.current(), []);
  return { found, error, look, more };
}
