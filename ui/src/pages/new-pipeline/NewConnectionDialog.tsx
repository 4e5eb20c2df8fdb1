import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { connectorsOptions } from "../../api/queries/connections";
import { ConnectionEditor } from "../../components/connection/ConnectionEditor";
import { ConnectorPicker } from "../../components/connection/ConnectorPicker";
import { Dialog } from "../../components/Dialog";

interface NewConnectionDialogProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  onMade: (name: string) => void;
}

/** Makes a connection without leaving the page. */
export function NewConnectionDialog({ open, onOpenChange, onMade }: NewConnectionDialogProps) {
  const [picked, setPicked] = useState<string>();
  const { data } = useQuery(connectorsOptions);
  const connector = data?.items.find((one) => one.name === picked);
  const change = (next: boolean) => {
    if (!next) setPicked(undefined);
    onOpenChange(next);
  };
  return (
    <Dialog
      open={open}
      onOpenChange={change}
      size="large"
      title={connector ? `New connection: ${connector.title}` : "New connection"}
      description={connector?.summary ?? "Choose the kind of system."}
    >
      <div className="pb-3">
        {connector ? (
          <ConnectionEditor
            connector={connector}
            onSaved={(name) => {
              change(false);
              onMade(name);
            }}
            onCancel={() => setPicked(undefined)}
          />
        ) : (
          <ConnectorPicker onPick={setPicked} />
        )}
      </div>
    </Dialog>
  );
}
