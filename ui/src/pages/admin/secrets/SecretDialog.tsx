import { useState } from "react";
import { messageOf } from "../../../api/error";
import { useSetSecret } from "../../../api/queries/admin";
import { Button } from "../../../components/Button";
import { Callout } from "../../../components/Callout";
import { Dialog } from "../../../components/Dialog";
import { Field } from "../../../components/Field";
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
    if (!name.trim() || !value || set.isPending) return;
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
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={known ? `Set ${known} anew` : "Set a secret"}
      description="It is kept encrypted. Nobody can read it here again."
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button look="primary" type="submit" form="secret" busy={set.isPending}>
            Set secret
          </Button>
        </>
      }
    >
      <form
        id="secret"
        noValidate
        className="flex flex-col gap-3 pb-2"
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
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
        {set.error && <Callout tone="fail">{messageOf(set.error)}</Callout>}
      </form>
    </Dialog>
  );
}
