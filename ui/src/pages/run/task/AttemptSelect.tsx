import { Select } from "../../../components/Select";

interface AttemptSelectProps {
  attempts: number;
  /** Undefined for the last one. */
  value: string | undefined;
  onValueChange: (attempt: string | undefined) => void;
}

/** Which attempt's log is shown. */
export function AttemptSelect({ attempts, value, onValueChange }: AttemptSelectProps) {
  const options = Array.from({ length: attempts - 1 }, (_, index) => String(attempts - 1 - index));
  return (
    <Select
      aria-label="Attempt"
      className="w-auto [&>select]:h-7 [&>svg]:top-2"
      value={value ?? ""}
      onValueChange={(next) => onValueChange(next || undefined)}
      placeholder={`Attempt ${attempts}, the last`}
      options={options.map((attempt) => ({ value: attempt, label: `Attempt ${attempt}` }))}
    />
  );
}
