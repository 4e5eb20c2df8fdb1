import { useMemo } from "react";
import { ObjectFields } from "./ObjectFields";
import { shapeOf, type JsonSchema } from "./shape";

export interface SchemaFormProps {
  schema: JsonSchema;
  value: Record<string, unknown>;
  onChange: (value: Record<string, unknown>) => void;
  /** Mistakes by the path of the field: `port`, `tls.mode`. */
  errors?: Record<string, string>;
  /** Fields that are not to be shown, for what the page asks in its own way. */
  without?: readonly string[];
}

/**
 * A form for whatever a JSON schema describes. A secret that is stored comes as `***`: it is never shown, stays as it is
 * unless something is typed, and goes back as `***`.
 */
export function SchemaForm({ schema, value, onChange, errors = {}, without = [] }: SchemaFormProps) {
  const shape = useMemo(() => shapeOf(schema), [schema]);
  if (shape.kind !== "object") return null;
  const fields = shape.fields.filter((field) => !without.includes(field.name));
  return <ObjectFields fields={fields} value={value} onChange={onChange} errors={errors} path="" />;
}
