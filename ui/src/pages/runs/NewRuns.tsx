import type { RunFilter } from "../../api/queries/runs";
import { Announcement } from "../../components/Announcement";
import { plural } from "../../format/numbers";
import { useNewRuns } from "./use-new-runs";

interface NewRunsProps {
  filter: RunFilter;
  /** The newest run that is shown. */
  newest: number | undefined;
  onShow: () => void;
}

/** Runs that were made since the list was read, and that belong to it. */
export function NewRuns({ filter, newest, onShow }: NewRunsProps) {
  const fresh = useNewRuns(filter, newest);
  if (fresh === 0) return null;
  return <Announcement onShow={onShow}>{`Show ${plural(fresh, "new run")}`}</Announcement>;
}
