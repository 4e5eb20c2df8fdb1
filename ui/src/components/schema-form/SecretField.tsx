import { Button } from "../Button";
import { Field } from "../Field";
import { SecretInput } from "../SecretInput";
import type { SchemaFieldProps } from "./SchemaField";

/** What stands for a secret that is stored. */
const STORED = "***";

/** A secret: it can be written and replaced, and is never shown. A reference such as `${secret:name}` is no secret. */
export function SecretField({
  field: { shape, isRequired },
  value,
  onChange,
  errors,
  path,
  marksOptional,
}: SchemaFieldProps) {
  const isStored = value === STORED;
  const isReference = typeof value === "string" && /^\$\{[^}]+\}$/.test(value);
  return (
    <div className="flex items-start gap-2">
      <Field
        className="grow"
        label={shape.label}
        hint={shape.description}
        error={errors[path]}
        optional={marksOptional && !isRequired}
      >
        <SecretInput
          value={isStored || value === undefined || value === null ? "" : String(value)}
          placeholder={isStored ? "Stored; type to replace it" : undefined}
          onChange={(event) => onChange(event.target.value || undefined)}
        />
      </Field>
      {(isStored || isReference) && (
        <Button className="mt-[22px]" onClick={() => onChange(undefined)}>
          Remove
        </Button>
      )}
    </div>
  );
}
