import type { Role } from "../../api/model";

/** The roles, from least to most, with what each may do beyond the one before it. */
export const ROLES: { value: Role; may: string }[] = [
  { value: "viewer", may: "Looks at everything but secrets, users and the audit log." },
  { value: "operator", may: "Also starts, cancels, retries, pauses and backfills, and tests connections." },
  { value: "editor", may: "Also changes documents and connections, and looks at rows." },
  { value: "admin", may: "Also decides who may do what, keeps secrets, and reads the audit log." },
];

export function roleMay(role: Role): string {
  return ROLES.find((one) => one.value === role)?.may ?? "";
}
