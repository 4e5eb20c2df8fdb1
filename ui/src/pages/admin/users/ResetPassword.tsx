import { useState } from "react";
import { messageOf } from "../../../api/error";
import { useUpdateUser } from "../../../api/queries/admin";
import { Button } from "../../../components/Button";
import { Callout } from "../../../components/Callout";
import { Dialog } from "../../../components/Dialog";
import { Field } from "../../../components/Field";
import { SecretInput } from "../../../components/SecretInput";
import { toast } from "../../../components/toasts";
import { passwordMistake } from "./password";

/** Gives a user another password. */
export function ResetPassword({ name, onClose }: { name: string; onClose: () => void }) {
  const [password, setPassword] = useState("");
  const [isAsked, setAsked] = useState(false);
  const update = useUpdateUser();
  const mistake = passwordMistake(password);
  const submit = () => {
    setAsked(true);
    if (mistake || update.isPending) return;
    update.mutate(
      { user: name, etag: null, change: { password } },
      {
        onSuccess: () => {
          toast(`${name} has a new password. Their sessions have ended.`, { tone: "ok" });
          onClose();
        },
      },
    );
  };
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={`Set a new password for ${name}`}
      description="Their sessions end. Tell them the password in person; they can change it themselves."
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button look="primary" type="submit" form="reset-password" busy={update.isPending}>
            Set password
          </Button>
        </>
      }
    >
      <form
        id="reset-password"
        className="flex flex-col gap-3 pb-2"
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        <Field label="New password" hint="10 characters or more." error={isAsked && mistake}>
          <SecretInput
            autoFocus
            value={password}
            autoComplete="new-password"
            onChange={(event) => setPassword(event.target.value)}
          />
        </Field>
        {update.error && <Callout tone="fail">{messageOf(update.error)}</Callout>}
      </form>
    </Dialog>
  );
}
