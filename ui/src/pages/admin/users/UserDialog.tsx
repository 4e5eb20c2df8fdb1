import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { ApiError } from "../../../api/error";
import type { Role, User } from "../../../api/model";
import { useUpdateUser, userOptions, type Granted } from "../../../api/queries/admin";
import { Button } from "../../../components/Button";
import { Callout } from "../../../components/Callout";
import { Dialog } from "../../../components/Dialog";
import { ErrorState } from "../../../components/ErrorState";
import { Field } from "../../../components/Field";
import { FormDialog } from "../../../components/FormDialog";
import { Input } from "../../../components/Input";
import { Skeleton } from "../../../components/Skeleton";
import { Switch } from "../../../components/Switch";
import { toast } from "../../../components/toasts";
import { exact } from "../../../format/durations";
import { roleMay } from "../roles";
import { RoleSelect } from "../RoleSelect";
import { Grants } from "./Grants";

/** Changes a user, based on what they are when the window opens. */
export function UserDialog({ name, onClose }: { name: string; onClose: () => void }) {
  const { data, error, refetch } = useQuery(userOptions(name));
  if (data)
    return (
      <Form
        key={data.etag}
        user={data.data}
        etag={data.etag}
        onClose={onClose}
        onReload={() => void refetch()}
      />
    );
  return (
    <Dialog open onOpenChange={(open) => !open && onClose()} title={name}>
      {error ? (
        <ErrorState error={error} onRetry={() => void refetch()} />
      ) : (
        <Skeleton className="mb-4 h-64 w-full" />
      )}
    </Dialog>
  );
}

interface FormProps {
  user: User;
  etag: string | null;
  onClose: () => void;
  onReload: () => void;
}

function Form({ user, etag, onClose, onReload }: FormProps) {
  const [displayName, setDisplayName] = useState(user.display_name);
  const [email, setEmail] = useState(user.email ?? "");
  const [role, setRole] = useState<Role>(user.role);
  const [grants, setGrants] = useState<Granted[]>(user.grants);
  const [isOn, setOn] = useState(!user.disabled);
  const update = useUpdateUser();
  const isStale = update.error instanceof ApiError && update.error.isStale;
  const submit = () =>
    update.mutate(
      {
        user: user.name,
        etag,
        change: {
          role,
          grants: grants.filter((granted) => granted.tag.trim()),
          disabled: !isOn,
          ...(displayName !== user.display_name && { display_name: displayName }),
          ...(email !== (user.email ?? "") && { email }),
        },
      },
      {
        onSuccess: () => {
          toast(`${user.name} is changed.`, { tone: "ok" });
          onClose();
        },
      },
    );
  return (
    <FormDialog
      title={user.name}
      description={`Made ${exact(Date.parse(user.created_at))}`}
      action="Save"
      isBusy={update.isPending}
      error={!isStale && update.error}
      onSubmit={submit}
      onClose={onClose}
    >
      <Field label="Name for people to read">
        <Input value={displayName} onChange={(event) => setDisplayName(event.target.value)} />
      </Field>
      <Field label="Mail address" optional>
        <Input type="email" value={email} onChange={(event) => setEmail(event.target.value)} />
      </Field>
      <Field label="Role" hint={roleMay(role)}>
        <RoleSelect value={role} onValueChange={setRole} />
      </Field>
      <Grants grants={grants} onChange={setGrants} />
      <span className="flex items-center gap-2">
        <Switch checked={isOn} onCheckedChange={setOn} label="May sign in" />
        <span aria-hidden>{isOn ? "May sign in" : "May not sign in; their tokens do nothing"}</span>
      </span>
      {isStale && (
        <Callout
          tone="warn"
          title="Somebody else changed this user"
          action={
            <Button size="small" onClick={onReload}>
              Show it
            </Button>
          }
        >
          Nothing of yours is saved. Look at what it is now, and change it again.
        </Callout>
      )}
    </FormDialog>
  );
}
