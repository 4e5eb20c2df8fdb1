import { Lock } from "lucide-react";
import type { Role } from "../api/model";
import { useMe } from "../api/queries/session";
import { EmptyState } from "./EmptyState";

interface TakesRoleProps {
  /** What takes the role: `This page takes`. */
  what: string;
  role: Role;
}

/** What stands in for something that takes another role. */
export function TakesRole({ what, role }: TakesRoleProps) {
  const me = useMe();
  return (
    <EmptyState icon={Lock} title={`${what} the role ${role}`}>
      You are signed in as {me.name}, who has the role {me.role}. An administrator can change that.
    </EmptyState>
  );
}
