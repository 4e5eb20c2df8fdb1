import { useState, type ReactNode } from "react";
import { messageOf } from "../api/error";
import { Button } from "./Button";
import { Callout } from "./Callout";
import { Dialog } from "./Dialog";
import { Field } from "./Field";
import { Input } from "./Input";

interface ConfirmDialogProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  /** What is going to happen, as a question: "Delete the connection shop?" */
  title: string;
  /** What is lost, and whether it can be undone. */
  children?: ReactNode;
  /** What the button says: the verb of the title. */
  action: string;
  /** Has to be typed before the button works; for what cannot be undone. */
  typeName?: string;
  onConfirm: () => Promise<unknown>;
}

/** Asks before something is destroyed. Stays open with the error if it fails. */
export function ConfirmDialog(props: ConfirmDialogProps) {
  const { open, onOpenChange, title, children, action, typeName, onConfirm } = props;
  const [typed, setTyped] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const isNamed = typeName === undefined || typed === typeName;

  const change = (next: boolean) => {
    if (busy) return;
    setTyped("");
    setError(null);
    onOpenChange(next);
  };
  const confirm = async () => {
    if (!isNamed || busy) return;
    setBusy(true);
    setError(null);
    try {
      await onConfirm();
      setTyped("");
      onOpenChange(false);
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };

  return (
    <Dialog
      open={open}
      onOpenChange={change}
      title={title}
      description={children}
      footer={
        <>
          <Button onClick={() => change(false)}>Keep it</Button>
          <Button look="danger" busy={busy} disabled={!isNamed} onClick={confirm}>
            {action}
          </Button>
        </>
      }
    >
      {typeName !== undefined || error !== null ? (
        <form
          className="flex flex-col gap-3 pb-1"
          onSubmit={(event) => {
            event.preventDefault();
            void confirm();
          }}
        >
          {typeName !== undefined && (
            <Field label={`Type ${typeName} to go on`}>
              <Input
                value={typed}
                onChange={(event) => setTyped(event.target.value)}
                autoComplete="off"
                spellCheck={false}
              />
            </Field>
          )}
          {error !== null && <Callout tone="fail">{messageOf(error)}</Callout>}
        </form>
      ) : null}
    </Dialog>
  );
}
