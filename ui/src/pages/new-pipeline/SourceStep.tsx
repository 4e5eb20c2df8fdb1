import { ConnectionChoice } from "./ConnectionChoice";
import { changed, missing } from "./draft";
import { StepFooter } from "./StepFooter";
import type { StepProps } from "./step-props";

/** Where the data comes from. Another source has other streams: those that were chosen go. */
export function SourceStep({ draft, onChange }: StepProps) {
  return (
    <>
      <div className="min-h-0 grow overflow-y-auto">
        <ConnectionChoice
          question="Where does the data come from?"
          value={draft.source}
          onChange={(source) =>
            onChange((before) =>
              before.source === source ? before : changed(before, { source, streams: [] }),
            )
          }
          unfit={() => undefined}
        />
      </div>
      <StepFooter step="source" reason={missing(draft, "source")} />
    </>
  );
}
