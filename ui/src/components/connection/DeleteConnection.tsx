import { useDeleteConnection } from "../../api/queries/connections";
import type { Connection } from "../../api/model";
import { Button } from "../Button";
import { ConfirmDialog } from "../ConfirmDialog";
import { Dialog } from "../Dialog";
import { toast } from "../toasts";
import { PipelineLinks } from "./PipelineLinks";

interface DeleteConnectionProps {
  connection: Connection;
  open: boolean;
  onOpenChange: (open: boolean) => void;
  onDeleted?: () => void;
}

/** Deletes a connection by its name, or says which pipelines keep it. */
export function DeleteConnection({ connection, open, onOpenChange, onDeleted }: DeleteConnectionProps) {
  const { name, used_by: users } = connection;
  const remove = useDeleteConnection();
  if (users.length > 0)
    return (
      <Dialog
        open={open}
        onOpenChange={onOpenChange}
        title={`${name} is in use`}
        description="These pipelines use the connection. Change or delete them first."
        footer={<Button onClick={() => onOpenChange(false)}>Close</Button>}
      >
        <PipelineLinks pipelines={users} />
      </Dialog>
    );
  return (
    <ConfirmDialog
      open={open}
      onOpenChange={onOpenChange}
      title={`Delete the connection ${name}?`}
      action="Delete connection"
      typeName={name}
      onConfirm={async () => {
        await remove.mutateAsync(name);
        toast(`The connection ${name} is deleted.`, { tone: "ok" });
        onDeleted?.();
      }}
    >
      The project forgets how to reach it, and the secrets that were stored for it alone go too. The data
      itself stays where it is.
    </ConfirmDialog>
  );
}
