import { useCallback, useEffect, useReducer, useRef, useState } from "react";
import type { LogLine, LogOf } from "../../api/model-logs";
import { readLog } from "../../api/queries/logs";
import { useLive } from "../../api/use-live";
import { LogWindow, PAGE_LINES } from "./log-window";

/** What a list of lines shows: so many rows, of which some are here. */
export interface Rows {
  count: number;
  at: (index: number) => LogLine | undefined;
  /** Asks for the rows that are in sight and are not here yet. */
  ask: (from: number, to: number) => void;
}

interface LogState extends Rows {
  error: unknown;
  isLoading: boolean;
  /** The attempt that is shown. */
  attempt: number | null;
  retry: () => void;
}

/**
 * The lines of a log: those in sight are read when they are needed, those that are written meanwhile arrive by
 * themselves. `follows` names the task run to follow; null for a log that is complete.
 */
export function useLog(log: LogOf, follows: number | null, onLine?: (line: LogLine) => void): LogState {
  const { run, task, item, attempt: asked } = log;
  const key = `${run} ${task} ${item ?? ""} ${asked ?? ""}`;
  const [state, setState] = useState<{ key: string; attempt: number; from: number } | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [tries, again] = useReducer((count: number) => count + 1, 0);
  const [, draw] = useReducer((count: number) => count + 1, 0);
  const window = useRef(new LogWindow());
  const reading = useRef<AbortController | null>(null);
  const wanted = useRef<{ from: number; to: number } | null>(null);
  const isReady = state !== null && state.key === key;

  useEffect(() => {
    const ended = new AbortController();
    window.current = new LogWindow();
    setError(null);
    readLog({ run, task, item, attempt: asked }, { limit: PAGE_LINES }, ended.signal)
      .then((page) => {
        const total = page.total ?? 0;
        window.current.put(page.lines, total);
        setState({ key, attempt: page.attempt, from: total });
      })
      .catch((failure: unknown) => !ended.signal.aborted && setError(failure));
    return () => {
      ended.abort();
      reading.current?.abort();
      reading.current = null;
    };
  }, [run, task, item, asked, key, tries]);

  const ask = useCallback(
    (from: number, to: number) => {
      wanted.current = { from, to };
      if (reading.current) return;
      const next = async () => {
        const range = wanted.current;
        const gap = range && window.current.gap(range.from, range.to);
        if (!gap) return;
        const ended = new AbortController();
        reading.current = ended;
        const into = window.current;
        try {
          const page = await readLog({ run, task, item, attempt: asked }, gap, ended.signal);
          into.put(page.lines);
          if (page.lines.length === 0) wanted.current = null;
        } catch (failure) {
          if (!ended.signal.aborted) setError(failure);
          wanted.current = null;
        }
        if (ended.signal.aborted) return;
        reading.current = null;
        draw();
        await next();
      };
      void next();
    },
    [run, task, item, asked],
  );

  // many lines come at once: they are drawn together
  const arrived = useRef<LogLine[]>([]);
  const frame = useRef(0);
  useEffect(() => () => cancelAnimationFrame(frame.current), []);
  useLive(isReady && follows !== null ? `logs:${follows}@${state.from}` : null, (event) => {
    if (event.kind !== "log") return;
    if (state && event.attempt !== state.attempt) {
      if (asked === undefined) again();
      return;
    }
    arrived.current.push(event.line);
    onLine?.(event.line);
    if (arrived.current.length > 1) return;
    frame.current = requestAnimationFrame(() => {
      window.current.put(arrived.current);
      arrived.current = [];
      draw();
    });
  });

  return {
    count: isReady ? window.current.total : 0,
    at: (index) => window.current.line(index),
    ask,
    error,
    isLoading: !isReady && error === null,
    attempt: isReady ? state.attempt : null,
    retry: again,
  };
}
