import { useState } from "react";
import { useUpdateUser } from "../../../api/queries/admin";
import { Field } from "../../../components/Field";
import { FormDialog } from "../../../components/FormDialog";
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
    if (mistake) return;
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
    <FormDialog
      title={`Set a new password for ${name}`}
      description="Their sessions end. Tell them the password in person; they can change it themselves."
      action="Set password"
      isBusy={update.isPending}
      error={update.error}
      onSubmit={submit}
      onClose={onClose}
    >
      <Field label="New password" hint="10 characters or more." error={isAsked && mistake}>
        <SecretInput
          autoFocus
          value={password}
          autoComplete="new-password"
          onChange={(event) => setPassword(event.target.value)}
        />
      </Field>
    </FormDialog>
  );
}
