import type { Draft } from "../use-draft";
import { About } from "./About";
import { Commands } from "./Commands";
import { DeletePanel } from "./DeletePanel";
import { Schedules } from "./Schedules";

interface SettingsTabProps {
  pipeline: string;
  etag: string | null;
  draft: Draft;
}

/** When a pipeline runs, who answers for it, and how to do all of this from elsewhere. */
export default function SettingsTab({ pipeline, etag, draft }: SettingsTabProps) {
  return (
    <div className="grid items-start gap-4 p-4 sm:p-6 xl:grid-cols-2">
      <Schedules pipeline={pipeline} />
      <About pipeline={pipeline} draft={draft} />
      <Commands pipeline={pipeline} />
      <DeletePanel pipeline={pipeline} etag={etag} />
    </div>
  );
}
