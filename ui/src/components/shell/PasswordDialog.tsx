import { useState } from "react";
import { useChangePassword } from "../../api/queries/session";
import { Field } from "../Field";
import { FormDialog } from "../FormDialog";
import { SecretInput } from "../SecretInput";
import { toast } from "../toasts";

const LENGTH_MIN = 10;

/** Changes one's own password, which ends one's other sessions. */
export function PasswordDialog({ onClose }: { onClose: () => void }) {
  const [before, setBefore] = useState("");
  const [after, setAfter] = useState("");
  const change = useChangePassword();
  const submit = () =>
    change.mutate(
      { old: before, new: after },
      {
        onSuccess: () => {
          onClose();
          toast("Your password is changed. Your other sessions have ended.", { tone: "ok" });
        },
      },
    );
  return (
    <FormDialog
      title="Change password"
      description="Your other sessions end, this one goes on."
      action="Change password"
      isBusy={change.isPending}
      isReady={before !== "" && after.length >= LENGTH_MIN}
      error={change.error}
      onSubmit={submit}
      onClose={onClose}
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
    </FormDialog>
  );
}
