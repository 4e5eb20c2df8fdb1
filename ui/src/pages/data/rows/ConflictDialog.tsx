import { useState } from "react";
import { messageOf } from "../../../api/error";
import { Button } from "../../../components/Button";
import { Callout } from "../../../components/Callout";
import { Dialog } from "../../../components/Dialog";
import { textOf } from "../values";
import type { Conflict } from "./use-cell-edit";

interface ConflictDialogProps {
  conflict: Conflict | null;
  onKeep: () => void;
  onOverwrite: () => Promise<void>;
}

/** Shows what a row is now beside what was to be saved, where somebody else changed it in between. */
export function ConflictDialog({ conflict, onKeep, onOverwrite }: ConflictDialogProps) {
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const overwrite = async () => {
    setBusy(true);
    setError(null);
    await onOverwrite().catch(setError);
    setBusy(false);
  };
  return (
    <Dialog
      open={conflict !== null}
      onOpenChange={(open) => !open && onKeep()}
      title="Somebody else changed this row"
      description="Nothing of yours is saved yet. The list shows the row as it is now."
      size="medium"
      footer={
        <>
          <Button onClick={onKeep}>Keep what is there</Button>
          <Button look="primary" busy={isBusy} onClick={() => void overwrite()}>
            Save mine
          </Button>
        </>
      }
    >
      <table className="w-full text-left">
        <thead>
          <tr className="border-b text-xs text-ink-2">
            <th className="py-1.5 pr-3 font-medium">Column</th>
            <th className="py-1.5 pr-3 font-medium">Now</th>
            <th className="py-1.5 font-medium">Yours</th>
          </tr>
        </thead>
        <tbody>
          {Object.entries(conflict?.mine ?? {}).map(([column, value]) => (
            <tr key={column} className="border-b align-top">
              <td className="py-1.5 pr-3 font-medium">{column}</td>
              <td className="py-1.5 pr-3 wrap-anywhere">{textOf(conflict?.theirs[column]) || "none"}</td>
              <td className="py-1.5 wrap-anywhere">{textOf(value) || "none"}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {error !== null && <Callout tone="fail">{messageOf(error)}</Callout>}
    </Dialog>
  );
}
