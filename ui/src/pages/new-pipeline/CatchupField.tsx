import { Field } from "../../components/Field";
import { Select } from "../../components/Select";

interface CatchupFieldProps {
  value: string | undefined;
  onChange: (value: string) => void;
}

/** What becomes of the runs that were missed while no server was there. */
export function CatchupField({ value, onChange }: CatchupFieldProps) {
  return (
    <Field label="Missed runs" hint="Those that were due while Levada was down.">
      <Select
        value={value ?? "last"}
        onValueChange={onChange}
        options={[
          { value: "last", label: "Make up for the latest one" },
          { value: "none", label: "Leave them out" },
          { value: "all", label: "Make up for all of them" },
        ]}
      />
    </Field>
  );
}
