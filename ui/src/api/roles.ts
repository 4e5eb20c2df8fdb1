import type { Me, Role } from "./model";
import { useMe } from "./queries/session";

const RANKS: Record<Role, number> = { viewer: 0, operator: 1, editor: 2, admin: 3 };

/** Whether somebody has a role: everywhere, or on something by one of its tags. */
export function hasRole(me: Me, role: Role, tags: string[] = []): boolean {
  const granted = me.grants.filter((grant) => tags.includes(grant.tag)).map((grant) => grant.role);
  return [me.role, ...granted].some((has) => RANKS[has] >= RANKS[role]);
}

/** Whether somebody has a role on anything at all, so that a page for it makes sense. */
export function hasRoleSomewhere(me: Me, role: Role): boolean {
  return hasRole(
    me,
    role,
    me.grants.map((grant) => grant.tag),
  );
}

/**
 * Why whoever uses this browser may not do something, for the tooltip of a disabled button; undefined if they may.
 * The server decides; this only keeps from offering what it would refuse.
 */
export function useDenial(role: Role, tags?: string[]): string | undefined {
  return hasRole(useMe(), role, tags) ? undefined : `This takes the role ${role}.`;
}
