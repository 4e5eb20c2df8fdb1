import { differences, type ConnectionDraft } from "../../format/connection-draft";
import type { Connection } from "../../api/model";
import { Button } from "../Button";
import { Dialog } from "../Dialog";

interface ConflictDialogProps {
  mine: ConnectionDraft;
  /** What somebody else made of it; null while there is no conflict. */
  theirs: Connection | null;
  onKeepMine: () => void;
  onTakeTheirs: () => void;
  onClose: () => void;
}

/** Somebody else changed the same connection: both versions, and which one is to count. */
export function ConflictDialog({ mine, theirs, onKeepMine, onTakeTheirs, onClose }: ConflictDialogProps) {
  return (
    <Dialog
      open={theirs !== null}
      onOpenChange={(open) => !open && onClose()}
      size="medium"
      title="Somebody else changed this connection"
      description="This is where your version and the saved one differ. Secrets are not shown."
      footer={
        <>
          <Button onClick={onTakeTheirs}>Take theirs</Button>
          <Button look="primary" onClick={onKeepMine}>
            Save mine
          </Button>
        </>
      }
    >
      {theirs && (
        <table className="w-full table-fixed text-left">
          <thead className="text-xs text-ink-2">
            <tr className="border-b">
              <th className="h-8 font-medium">Setting</th>
              <th className="font-medium">Yours</th>
              <th className="font-medium">Theirs</th>
            </tr>
          </thead>
          <tbody>
            {differences(mine, theirs).map((one) => (
              <tr key={one.name} className="border-b align-top last:border-0">
                <td className="py-1.5">{one.name}</td>
                <td className="py-1.5 font-mono text-xs wrap-anywhere">{one.mine || "not set"}</td>
                <td className="py-1.5 font-mono text-xs wrap-anywhere">{one.theirs || "not set"}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Dialog>
  );
}
