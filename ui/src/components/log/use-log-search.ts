import { useEffect, useRef, useState } from "react";
import type { LogLine } from "../../api/live";
import { streamLog, type LogOf } from "../../api/queries/logs";
import { useDebounced } from "../use-debounced";
import { isAsked, matcher, MATCHES_MAX, search, type Found, type LogQuery } from "./log-search";

interface LogSearch {
  found: Found | null;
  error: unknown;
  /** Looks at a line that was written meanwhile. */
  look: (line: LogLine) => void;
}

/** Looks through a whole log for what is asked, anew when that changes; the log itself is not kept. */
export function useLogSearch(log: LogOf, query: LogQuery): LogSearch {
  const [found, setFound] = useState<Found | null>(null);
  const [error, setError] = useState<unknown>(null);
  const text = useDebounced(query.text, 250);
  const { level } = query;
  const { run, task, item, attempt } = log;
  const isMeant = useRef<ReturnType<typeof matcher> | null>(null);

  useEffect(() => {
    const asked = { text, level };
    setFound(null);
    setError(null);
    isMeant.current = isAsked(asked) ? matcher(asked) : null;
    if (!isMeant.current) return undefined;
    const ended = new AbortController();
    streamLog({ run, task, item, attempt }, ended.signal)
      .then((stream) =>
        search(stream, asked, (told) => !ended.signal.aborted && setFound(told), ended.signal),
      )
      .catch((failure: unknown) => !ended.signal.aborted && setError(failure));
    return () => ended.abort();
  }, [run, task, item, attempt, text, level]);

  const look = (line: LogLine) => {
    if (!isMeant.current?.(line)) return;
    setFound((before) => {
      if (!before || line.number < before.looked) return before;
      const lines = before.lines.length < MATCHES_MAX ? [...before.lines, line] : before.lines;
      return { ...before, lines, count: before.count + 1 };
    });
  };
  return { found, error, look };
}
