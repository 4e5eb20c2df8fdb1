import { useQueryClient, type InfiniteData } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import type { Row } from "../../../api/data";
import type { Collection, Page } from "../../../api/model";
import { rowsOptions } from "../../../api/queries/data";
import { useLive } from "../../../api/use-live";
import { isOver } from "../../../format/status";
import { hasSameRows } from "../../../format/rows";

type Rows = InfiniteData<Page<Row>, string | null>;

/** Changes come in bursts: they are looked at together. Runs that end may have loaded rows, and mostly have not. */
const CHANGED_MS = 150;
const RUN_ENDED_MS = 2_000;
/** Of longer lists only the first pages are compared, so that a change never reads all of a large table again. */
const PAGES_MAX = 5;

/**
 * Rows that other people change, or that a run has loaded. Values change in their place; rows that came or went announce
 * themselves, and come when asked for, so that none moves away under the pointer.
 */
export function useRowsNews(collection: Collection, query: string) {
  const client = useQueryClient();
  const [fresh, setFresh] = useState<Rows | null>(null);
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null);
  const options = rowsOptions(collection, query);
  const shown = client.getQueryData(options.queryKey) as Rows | undefined;

  const look = async () => {
    timer.current = null;
    const pages = shown?.pages.length ?? 0;
    if (pages === 0) return;
    if (pages > PAGES_MAX) return void client.invalidateQueries({ queryKey: options.queryKey });
    const read = await client.fetchInfiniteQuery({
      ...options,
      queryKey: [...options.queryKey, "fresh"],
      pages,
      staleTime: 0,
      gcTime: 0,
    });
    setFresh(read);
  };
  const lookIn = (ms: number) => {
    // what cannot be read now is read with the next change
    timer.current ??= setTimeout(() => void look().catch(() => undefined), ms);
  };
  useLive("rows", (event) => {
    if (event.kind === "rows" && event.collection === collection.name) lookIn(CHANGED_MS);
  });
  useLive("runs", (event) => {
    if (event.kind === "run" && isOver(event.event.state)) lookIn(RUN_ENDED_MS);
  });
  useEffect(() => {
    setFresh(null);
    return () => {
      if (timer.current) clearTimeout(timer.current);
      timer.current = null;
    };
  }, [collection.name, query]);

  const isSame = !fresh || !shown || hasSameRows(rowsOf(fresh), rowsOf(shown), collection.key);
  const show = () => {
    if (fresh) client.setQueryData(options.queryKey, fresh);
    setFresh(null);
  };
  useEffect(() => {
    if (fresh && isSame) show();
  }, [fresh, isSame]);
  return { hasNews: !isSame, show };
}

function rowsOf(rows: Rows): Row[] {
  return rows.pages.flatMap((page) => page.items);
}
