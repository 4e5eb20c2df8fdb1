import { ArrowUp } from "lucide-react";
import { useEffect, useState } from "react";
import type { RunFilter } from "../../api/queries/runs";
import { useLive } from "../../api/use-live";
import { plural } from "../../format/numbers";

interface NewRunsProps {
  filter: RunFilter;
  /** The newest run that is shown. */
  newest: number | undefined;
  onShow: () => void;
}

/**
 * Runs that were made since the list was read. They announce themselves, and come when asked for, so that no row moves
 * away under the pointer. Where only one status is shown, only a pipeline's own runs can be told to belong here.
 */
export function NewRuns({ filter, newest, onShow }: NewRunsProps) {
  const [made, setMade] = useState<ReadonlySet<number>>(new Set());
  useEffect(() => setMade(new Set()), [filter]);
  useLive("runs", (event) => {
    if (event.kind !== "run" || newest === undefined || event.run <= newest || made.has(event.run)) return;
    if (filter.pipeline && filter.pipeline !== event.pipeline) return;
    if (filter.search && !event.pipeline.toLowerCase().includes(filter.search.toLowerCase())) return;
    if (filter.state && filter.state !== event.event.state) return;
    setMade(new Set(made).add(event.run));
  });
  const fresh = [...made].filter((run) => newest === undefined || run > newest).length;
  if (fresh === 0) return null;
  return (
    <div className="relative h-0" role="status">
      <button
        type="button"
        onClick={onShow}
        className="absolute top-10 left-1/2 z-20 flex h-7 -translate-x-1/2 items-center gap-1.5 rounded-full bg-accent px-3 text-xs font-medium text-on-accent shadow-overlay hover:bg-accent-strong"
      >
        <ArrowUp className="size-3.5" aria-hidden />
        Show {plural(fresh, "new run")}
      </button>
    </div>
  );
}
