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
      <div className="flex min-w-0 flex-col gap-4">
        <Schedules pipeline={pipeline} />
        <Commands pipeline={pipeline} />
      </div>
      <div className="flex min-w-0 flex-col gap-4">
        <About pipeline={pipeline} draft={draft} />
        <DeletePanel pipeline={pipeline} etag={etag} />
      </div>
    </div>
  );
}
