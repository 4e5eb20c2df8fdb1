import { useState } from "react";
import { mistakesByField } from "../../../api/mistakes";
import type { Role } from "../../../api/model";
import { useCreateToken } from "../../../api/queries/admin";
import { useMe } from "../../../api/queries/session";
import { Field } from "../../../components/Field";
import { FormDialog } from "../../../components/FormDialog";
import { Input } from "../../../components/Input";
import { Select } from "../../../components/Select";
import { roleMay } from "../roles";
import { RoleSelect } from "../RoleSelect";
import { TagsInput } from "../../../components/TagsInput";
import { TokenText } from "./TokenText";

const DAYS = [7, 30, 90, 365, 730];

/** Makes a token, and shows its text once. */
export function NewTokenDialog({ onClose }: { onClose: () => void }) {
  const me = useMe();
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("viewer");
  const [tags, setTags] = useState<string[]>([]);
  const [days, setDays] = useState(90);
  const [isAsked, setAsked] = useState(false);
  const create = useCreateToken();
  const told = mistakesByField(create.error, ["name"]);
  // with a grant, one may do more on some pipelines than everywhere
  const most = me.grants.length > 0 ? "admin" : me.role;
  const submit = () => {
    setAsked(true);
    if (!name.trim()) return;
    create.mutate({ name: name.trim(), role, days, ...(tags.length > 0 && { tags }) });
  };
  if (create.data) return <TokenText made={create.data} onClose={onClose} />;
  return (
    <FormDialog
      title="New token"
      description="For a program. It may do no more than you, and no more than you choose here."
      action="Make the token"
      isBusy={create.isPending}
      error={Object.keys(told).length === 0 && create.error}
      onSubmit={submit}
      onClose={onClose}
    >
      <Field
        label="Name"
        hint="What it is for: deploy, dashboard."
        error={isAsked && !name.trim() ? "A name is needed." : told["name"]}
      >
        <Input autoFocus value={name} autoComplete="off" onChange={(event) => setName(event.target.value)} />
      </Field>
      <Field label="At most" hint={roleMay(role)}>
        <RoleSelect value={role} onValueChange={setRole} most={most} />
      </Field>
      <fieldset>
        <legend className="mb-1 font-medium">
          For pipelines tagged <span className="text-xs font-normal text-ink-3">optional</span>
        </legend>
        <TagsInput tags={tags} onChange={setTags} />
        <p className="mt-1 text-xs text-ink-3">
          With tags, it looks at everything, and does more on pipelines with one of them only.
        </p>
      </fieldset>
      <Field label="Ends after">
        <Select
          value={String(days)}
          onValueChange={(next) => setDays(Number(next))}
          options={DAYS.map((value) => ({ value: String(value), label: `${value} days` }))}
        />
      </Field>
    </FormDialog>
  );
}
