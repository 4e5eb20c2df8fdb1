import { useState } from "react";
import { messageOf } from "../../api/error";
import { mistakesByField } from "../../api/mistakes";
import { useSetUp } from "../../api/queries/session";
import { Button } from "../../components/Button";
import { Callout } from "../../components/Callout";
import { Field } from "../../components/Field";
import { Input } from "../../components/Input";
import { SecretInput } from "../../components/SecretInput";

const BYTES_MIN = 10;

interface AdminFormProps {
  /** What stands behind `#` in the link. */
  secret: string;
  onDone: (name: string) => void;
}

/** Name and password of the first administrator. */
export function AdminForm({ secret, onDone }: AdminFormProps) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [isAsked, setAsked] = useState(false);
  const setUp = useSetUp();
  const errors = {
    ...mistakesByField(setUp.error, ["name", "password"]),
    ...(isAsked ? checked(name, password) : {}),
  };

  const submit = () => {
    setAsked(true);
    if (!secret || setUp.isPending || Object.keys(checked(name, password)).length > 0) return;
    setUp.mutate({ secret, name, password }, { onSuccess: (me) => onDone(me.name) });
  };
  return (
    <form
      noValidate
      className="flex flex-col gap-4"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <Field label="Name" hint="What you are called in the audit log." error={errors["name"]}>
        <Input
          autoFocus
          name="name"
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
      </Field>
      <Field label="Password" hint={`${BYTES_MIN} characters or more.`} error={errors["password"]}>
        <SecretInput
          name="password"
          autoComplete="new-password"
          value={password}
          onChange={(event) => setPassword(event.target.value)}
        />
      </Field>
      {setUp.error && !errors["name"] && !errors["password"] && (
        <Callout tone="fail">{messageOf(setUp.error)}</Callout>
      )}
      <Button type="submit" look="primary" size="large" busy={setUp.isPending} disabled={!secret}>
        Make the administrator
      </Button>
    </form>
  );
}

function checked(name: string, password: string): Record<string, string> {
  return {
    ...(name.trim() ? {} : { name: "A name is needed." }),
    ...(new TextEncoder().encode(password).length < BYTES_MIN
      ? { password: `${BYTES_MIN} characters at least.` }
      : {}),
  };
}
