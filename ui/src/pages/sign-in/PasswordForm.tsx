import { useState } from "react";
import { ApiError, messageOf } from "../../api/error";
import { useSignIn } from "../../api/queries/session";
import { Button } from "../../components/Button";
import { Callout } from "../../components/Callout";
import { Field } from "../../components/Field";
import { Input } from "../../components/Input";
import { SecretInput } from "../../components/SecretInput";
import { useNow } from "../../components/use-now";
import { duration } from "../../format/durations";

interface PasswordFormProps {
  /** There is a better way to sign in above. */
  isSecondary: boolean;
  onDone: () => void;
}

/** Name and password. After too many wrong ones it says how long to wait, and counts down. */
export function PasswordForm({ isSecondary, onDone }: PasswordFormProps) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const signIn = useSignIn();
  const now = useNow(1_000);
  const { error } = signIn;
  const retryAt = error instanceof ApiError && error.status === 429 ? error.retryAt : null;
  const waitMs = retryAt ? retryAt.getTime() - now : 0;
  const isLocked = waitMs > 0;

  return (
    <form
      className="flex flex-col gap-4"
      onSubmit={(event) => {
        event.preventDefault();
        if (!isLocked && !signIn.isPending) signIn.mutate({ name, password }, { onSuccess: onDone });
      }}
    >
      <Field label="Name">
        <Input
          name="name"
          autoFocus
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          required
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
      </Field>
      <Field label="Password">
        <SecretInput
          name="password"
          autoComplete="current-password"
          required
          value={password}
          onChange={(event) => setPassword(event.target.value)}
        />
      </Field>
      {isLocked ? (
        <Callout tone="warn" title="Too many wrong passwords">
          The next try is possible in {duration(Math.ceil(waitMs / 1000) * 1000).replace(".0 s", " s")}.
        </Callout>
      ) : (
        error && !retryAt && <Callout tone="fail">{messageOf(error)}</Callout>
      )}
      <Button
        type="submit"
        look={isSecondary ? "secondary" : "primary"}
        size="large"
        busy={signIn.isPending}
        disabled={isLocked || !name || !password}
      >
        Sign in
      </Button>
    </form>
  );
}
