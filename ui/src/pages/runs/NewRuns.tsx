import { useEffect, useState } from "react";
import type { RunFilter } from "../../api/queries/runs";
import { useLive } from "../../api/use-live";
import { Announcement } from "../../components/Announcement";
import { plural } from "../../format/numbers";

interface NewRunsProps {
  filter: RunFilter;
  /** The newest run that is shown. */
  newest: number | undefined;
  onShow: () => void;
}

/** Of more new runs it does not matter how many there are. */
const MADE_MAX = 1_000;

/**
 * Runs that were made since the list was read. Where only one status is shown, only a pipeline's own runs can be told to
 * belong here.
 */
export function NewRuns({ filter, newest, onShow }: NewRunsProps) {
  const [made, setMade] = useState<ReadonlySet<number>>(new Set());
  useEffect(() => setMade(new Set()), [filter]);
  useLive("runs", (event) => {
    if (event.kind !== "run" || newest === undefined || event.run <= newest || made.has(event.run)) return;
    if (made.size >= MADE_MAX) return;
    if (filter.pipeline && filter.pipeline !== event.pipeline) return;
    if (filter.search && !event.pipeline.toLowerCase().includes(filter.search.toLowerCase())) return;
    if (filter.state && filter.state !== event.event.state) return;
    setMade(new Set(made).add(event.run));
  });
  const fresh = [...made].filter((run) => newest === undefined || run > newest).length;
  if (fresh === 0) return null;
  return <Announcement onShow={onShow}>{`Show ${plural(fresh, "new run")}`}</Announcement>;
}
