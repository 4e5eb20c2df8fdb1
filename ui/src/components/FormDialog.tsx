import { useId, type ReactNode } from "react";
import { messageOf } from "../api/error";
import { Button } from "./Button";
import { Callout } from "./Callout";
import { Dialog } from "./Dialog";

interface FormDialogProps {
  title: string;
  description?: ReactNode;
  /** What the button says that does it. */
  action: string;
  isBusy: boolean;
  /** Whether enough is filled in; it is unless told. */
  isReady?: boolean;
  /** What went wrong and stands at no field. */
  error?: unknown;
  onSubmit: () => void;
  onClose: () => void;
  children: ReactNode;
}

/** A window with a form: Enter does it, once. It is there while it is rendered. */
export function FormDialog(props: FormDialogProps) {
  const { title, description, action, isBusy, isReady = true, error, onSubmit, onClose, children } = props;
  const form = useId();
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={title}
      description={description}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button look="primary" type="submit" form={form} busy={isBusy} disabled={!isReady}>
            {action}
          </Button>
        </>
      }
    >
      <form
        id={form}
        noValidate
        className="flex flex-col gap-3 pb-2"
        onSubmit={(event) => {
          event.preventDefault();
          if (isReady && !isBusy) onSubmit();
        }}
      >
        {children}
        {error ? <Callout tone="fail">{messageOf(error)}</Callout> : null}
      </form>
    </Dialog>
  );
}
