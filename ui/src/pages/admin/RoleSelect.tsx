import type { Role } from "../../api/model";
import { Select } from "../../components/Select";
import { ROLES } from "./roles";

interface RoleSelectProps {
  value: Role;
  onValueChange: (role: Role) => void;
  /** The highest that can be chosen. */
  most?: Role;
  label?: string;
  className?: string;
}

/** One of the roles. */
export function RoleSelect({ value, onValueChange, most = "admin", label, className }: RoleSelectProps) {
  const options = ROLES.slice(0, ROLES.findIndex((one) => one.value === most) + 1);
  return (
    <Select
      {...(label && { "aria-label": label })}
      {...(className && { className })}
      value={value}
      onValueChange={(role) => onValueChange(role as Role)}
      options={options.map(({ value: role }) => ({ value: role, label: role }))}
    />
  );
}
