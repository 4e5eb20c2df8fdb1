import { Field } from "../Field";
import { Switch } from "../Switch";
import type { SchemaFieldProps } from "./SchemaField";

/** On or off; the default counts until it is touched. */
export function FlagField({ field: { shape }, value, onChange, errors, path }: SchemaFieldProps) {
  const isOn = typeof value === "boolean" ? value : shape.default === true;
  return (
    <Field label={shape.label} hint={shape.description} error={errors[path]}>
      <Switch
        checked={isOn}
        onCheckedChange={(next) => onChange(next === (shape.default === true) ? undefined : next)}
      />
    </Field>
  );
}
