import { useState } from "react";
import { useSetSecret } from "../../../api/queries/admin";
import { Field } from "../../../components/Field";
import { FormDialog } from "../../../components/FormDialog";
import { Input } from "../../../components/Input";
import { SecretInput } from "../../../components/SecretInput";
import { toast } from "../../../components/toasts";

interface SecretDialogProps {
  /** The secret to set anew; none for a new one. */
  name: string;
  onClose: () => void;
}

/** Sets the value of a secret. */
export function SecretDialog({ name: known, onClose }: SecretDialogProps) {
  const [name, setName] = useState(known);
  const [value, setValue] = useState("");
  const [isAsked, setAsked] = useState(false);
  const set = useSetSecret();
  const submit = () => {
    setAsked(true);
    if (!name.trim() || !value) return;
    set.mutate(
      { secret: name.trim(), value },
      {
        onSuccess: () => {
          toast(`The secret ${name.trim()} is set.`, { tone: "ok" });
          onClose();
        },
      },
    );
  };
  return (
    <FormDialog
      title={known ? `Set ${known} anew` : "Set a secret"}
      description="It is kept encrypted. Nobody can read it here again."
      action="Set secret"
      isBusy={set.isPending}
      error={set.error}
      onSubmit={submit}
      onClose={onClose}
    >
      {!known && (
        <Field
          label="Name"
          hint={`In documents: \${secret:${name || "name"}}`}
          error={isAsked && !name.trim() && "A name is needed."}
        >
          <Input
            autoFocus
            value={name}
            autoCapitalize="none"
            autoComplete="off"
            spellCheck={false}
            onChange={(event) => setName(event.target.value)}
          />
        </Field>
      )}
      <Field label="Value" error={isAsked && !value && "A value is needed."}>
        <SecretInput
          autoFocus={Boolean(known)}
          value={value}
          autoComplete="off"
          onChange={(event) => setValue(event.target.value)}
        />
      </Field>
    </FormDialog>
  );
}
