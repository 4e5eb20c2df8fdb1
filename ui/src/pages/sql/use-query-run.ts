import { useEffect, useRef, useState } from "react";
import type { QueryAnswer } from "../../api/model";
import { runQuery, type Query } from "../../api/queries/sql";

export type QueryRun =
  | { state: "none" }
  | { state: "running"; since: number }
  | { state: "cancelled" }
  | { state: "failed"; sql: string; error: unknown }
  | { state: "done"; answer: QueryAnswer };

/** A query that is run, one at a time. To cancel it, or to leave the page, ends it at the server as well. */
export function useQueryRun() {
  const [run, setRun] = useState<QueryRun>({ state: "none" });
  const open = useRef<AbortController | null>(null);
  useEffect(() => () => open.current?.abort(), []);

  const start = async (query: Query, limit: number) => {
    open.current?.abort();
    const own = new AbortController();
    open.current = own;
    setRun({ state: "running", since: Date.now() });
    let next: QueryRun;
    try {
      next = { state: "done", answer: await runQuery(query, limit, own.signal) };
    } catch (error) {
      next = own.signal.aborted ? { state: "cancelled" } : { state: "failed", sql: query.sql, error };
    }
    // another one may be on its way by now
    if (open.current !== own) return;
    open.current = null;
    setRun(next);
  };
  return { run, start, cancel: () => open.current?.abort() };
}
