import type { User } from "../../../api/model";
import { useRemoveUser } from "../../../api/queries/admin";
import { ConfirmDialog } from "../../../components/ConfirmDialog";
import { toast } from "../../../components/toasts";

/** Removes a user, once their name was typed. */
export function RemoveUser({ user, onClose }: { user: User; onClose: () => void }) {
  const remove = useRemoveUser();
  return (
    <ConfirmDialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={`Remove ${user.name}?`}
      action="Remove"
      typeName={user.name}
      onConfirm={async () => {
        await remove.mutateAsync(user.name);
        toast(`${user.name} is removed.`, { tone: "ok" });
      }}
    >
      Their sessions and tokens end with them. What they did stays in the audit log. To keep them out for a
      while, disable them instead.
    </ConfirmDialog>
  );
}
