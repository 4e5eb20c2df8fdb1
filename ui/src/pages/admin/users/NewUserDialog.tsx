import { useState } from "react";
import { mistakesByField } from "../../../api/mistakes";
import type { Role } from "../../../api/model";
import { useCreateUser, type Granted } from "../../../api/queries/admin";
import { Field } from "../../../components/Field";
import { FormDialog } from "../../../components/FormDialog";
import { Input } from "../../../components/Input";
import { SecretInput } from "../../../components/SecretInput";
import { toast } from "../../../components/toasts";
import { roleMay } from "../roles";
import { RoleSelect } from "../RoleSelect";
import { Grants } from "./Grants";
import { passwordMistake } from "./password";

/** Makes a user. Without a password, only the single sign-on lets them in. */
export function NewUserDialog({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState("");
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [role, setRole] = useState<Role>("viewer");
  const [grants, setGrants] = useState<Granted[]>([]);
  const [isAsked, setAsked] = useState(false);
  const create = useCreateUser();
  const told = mistakesByField(create.error, ["name", "email", "password"]);
  const own = isAsked
    ? { name: name.trim() ? "" : "A name is needed.", password: password ? passwordMistake(password) : "" }
    : {};
  const errors: Record<string, string | undefined> = { ...told, ...own };
  const submit = () => {
    setAsked(true);
    if (!name.trim() || (password && passwordMistake(password))) return;
    create.mutate(
      {
        name: name.trim(),
        role,
        grants: grants.filter((granted) => granted.tag.trim()),
        ...(email.trim() && { email: email.trim() }),
        ...(password && { password }),
      },
      {
        onSuccess: () => {
          toast(`${name.trim()} can sign in.`, { tone: "ok" });
          onClose();
        },
      },
    );
  };
  return (
    <FormDialog
      title="Add user"
      action="Add user"
      isBusy={create.isPending}
      error={Object.keys(told).length === 0 && create.error}
      onSubmit={submit}
      onClose={onClose}
    >
      <Field
        label="Name"
        hint="What they sign in with, and what they are called in the audit log."
        error={errors["name"]}
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
      <Field label="Mail address" optional error={errors["email"]}>
        <Input
          type="email"
          value={email}
          autoComplete="off"
          onChange={(event) => setEmail(event.target.value)}
        />
      </Field>
      <Field
        label="Password"
        optional
        hint="10 characters or more. Without one, only the single sign-on lets them in."
        error={errors["password"]}
      >
        <SecretInput
          value={password}
          autoComplete="new-password"
          onChange={(event) => setPassword(event.target.value)}
        />
      </Field>
      <Field label="Role" hint={roleMay(role)}>
        <RoleSelect value={role} onValueChange={setRole} />
      </Field>
      <Grants grants={grants} onChange={setGrants} />
    </FormDialog>
  );
}
