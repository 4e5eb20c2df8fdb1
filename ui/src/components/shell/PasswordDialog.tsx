import { useState } from "react";
import { messageOf } from "../../api/error";
import { useChangePassword } from "../../api/queries/session";
import { Button } from "../Button";
import { Callout } from "../Callout";
import { Dialog } from "../Dialog";
import { Field } from "../Field";
import { SecretInput } from "../SecretInput";
import { toast } from "../toasts";

const LENGTH_MIN = 10;

interface PasswordDialogProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
}

/** Changes one's own password, which ends one's other sessions. */
export function PasswordDialog({ open, onOpenChange }: PasswordDialogProps) {
  const [before, setBefore] = useState("");
  const [after, setAfter] = useState("");
  const change = useChangePassword();
  const close = () => {
    setBefore("");
    setAfter("");
    change.reset();
    onOpenChange(false);
  };
  const isReady = before !== "" && after.length >= LENGTH_MIN;
  const submit = () =>
    change.mutate(
      { old: before, new: after },
      {
        onSuccess: () => {
          close();
          toast("Your password is changed. Your other sessions have ended.", { tone: "ok" });
        },
      },
    );

  return (
    <Dialog
      open={open}
      onOpenChange={(next) => (next ? onOpenChange(true) : close())}
      title="Change password"
      description="Your other sessions end, this one goes on."
      footer={
        <>
          <Button onClick={close}>Cancel</Button>
          <Button
            look="primary"
            type="submit"
            form="change-password"
            busy={change.isPending}
            disabled={!isReady}
          >
            Change password
          </Button>
        </>
      }
    >
      <form
        id="change-password"
        className="flex flex-col gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          if (isReady) submit();
        }}
      >
        <Field label="Password until now">
          <SecretInput
            value={before}
            autoComplete="current-password"
            onChange={(event) => setBefore(event.target.value)}
          />
        </Field>
        <Field label="New password" hint={`${LENGTH_MIN} characters or more.`}>
          <SecretInput
            value={after}
            autoComplete="new-password"
            onChange={(event) => setAfter(event.target.value)}
          />
        </Field>
        {change.error && <Callout tone="fail">{messageOf(change.error)}</Callout>}
      </form>
    </Dialog>
  );
}
