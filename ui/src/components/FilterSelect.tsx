import type { Option } from "./Select";
import { Select } from "./Select";

interface FilterSelectProps {
  /** What it filters by: "Status". */
  label: string;
  value: string | undefined;
  onValueChange: (value: string | undefined) => void;
  options: readonly Option[];
  /** What is shown without a choice; "Status: any" unless given. */
  none?: string;
}

/** A filter of a list; without a choice it lets everything through. */
export function FilterSelect({ label, value, onValueChange, options, none }: FilterSelectProps) {
  return (
    <Select
      aria-label={label}
      value={value ?? ""}
      onValueChange={(next) => onValueChange(next || undefined)}
      options={options}
      placeholder={none ?? `${label}: any`}
      className={value ? "w-auto [&>select]:border-accent [&>select]:bg-accent-soft" : "w-auto"}
    />
  );
}
