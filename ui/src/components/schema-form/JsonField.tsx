import { useState } from "react";
import { Field } from "../Field";
import { TextArea } from "../TextArea";
import type { SchemaFieldProps } from "./SchemaField";

/** Whatever has no control of its own, as JSON. */
export function JsonField({
  field: { shape, isRequired },
  value,
  onChange,
  errors,
  path,
  marksOptional,
}: SchemaFieldProps) {
  const [text, setText] = useState(value === undefined ? "" : JSON.stringify(value, null, 2));
  const [wrong, setWrong] = useState<string>();
  const change = (next: string) => {
    setText(next);
    try {
      onChange(next.trim() === "" ? undefined : (JSON.parse(next) as unknown));
      setWrong(undefined);
    } catch {
      setWrong("This is not JSON yet.");
    }
  };
  return (
    <Field
      label={shape.label}
      hint={shape.description}
      error={wrong ?? errors[path]}
      optional={marksOptional && !isRequired}
    >
      <TextArea value={text} spellCheck={false} onChange={(event) => change(event.target.value)} />
    </Field>
  );
}
