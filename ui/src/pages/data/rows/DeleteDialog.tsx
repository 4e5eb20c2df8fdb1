import type { Row } from "../../../api/data";
import { messageOf } from "../../../api/error";
import type { Collection } from "../../../api/model";
import { useDeleteRow, useRestoreRow } from "../../../api/queries/data";
import { ConfirmDialog } from "../../../components/ConfirmDialog";
import { toast } from "../../../components/toasts";
import { labelColumn, textOf } from "../values";

export interface Deletion {
  row: Row;
  /** For good, and not to be restored. */
  isHard: boolean;
}

interface DeleteDialogProps {
  collection: Collection;
  deletion: Deletion | null;
  onClose: () => void;
}

/** Asks before a row is deleted; a deletion that can be undone offers to undo it. */
export function DeleteDialog({ collection, deletion, onClose }: DeleteDialogProps) {
  const remove = useDeleteRow(collection);
  const restore = useRestoreRow(collection);
  const id = deletion?.row[collection.key];
  const name = `${collection.name} ${textOf(id)}`;
  const label = textOf(deletion?.row[labelColumn(collection)]);
  const isHard = deletion?.isHard ?? false;
  const undo = () => restore.mutate(id, { onError: (error) => toast(messageOf(error), { tone: "fail" }) });
  const confirm = async () => {
    await remove.mutateAsync({ id, isHard });
    toast(`${name} is deleted.`, { tone: "ok", ...(!isHard && { action: { label: "Undo", run: undo } }) });
  };
  return (
    <ConfirmDialog
      open={deletion !== null}
      onOpenChange={(open) => !open && onClose()}
      title={isHard ? `Delete ${name} for good?` : `Delete ${name}?`}
      action={isHard ? "Delete for good" : "Delete"}
      {...(isHard && { typeName: textOf(id) })}
      onConfirm={confirm}
    >
      {label && <p className="font-medium text-ink">{label}</p>}
      {isHard
        ? "The row leaves the table. It cannot be restored."
        : "The row stays in the table, out of sight, and can be restored."}
    </ConfirmDialog>
  );
}
