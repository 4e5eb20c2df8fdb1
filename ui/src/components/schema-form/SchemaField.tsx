import { Field } from "../Field";
import { Input } from "../Input";
import { Select } from "../Select";
import { TextArea } from "../TextArea";
import { ChoiceField } from "./ChoiceField";
import { FlagField } from "./FlagField";
import { JsonField } from "./JsonField";
import { ListField } from "./ListField";
import { MapField } from "./MapField";
import { ObjectFields } from "./ObjectFields";
import { SecretField } from "./SecretField";
import { isObject, type FieldShape } from "./shape";

export interface SchemaFieldProps {
  field: FieldShape;
  value: unknown;
  /** The new value; undefined takes it away, so that the default counts. */
  onChange: (value: unknown) => void;
  errors: Record<string, string>;
  path: string;
  /** Says of what is not needed that it is optional; for forms where something is needed. */
  marksOptional?: boolean;
}

/** Fields whose texts have several lines. */
const LONG = new Set(["script", "sql", "query", "body", "text"]);

/** The control for one field of a schema. */
export function SchemaField(props: SchemaFieldProps) {
  const { field, value, onChange, errors, path, marksOptional } = props;
  const { shape, isRequired } = field;
  const common = {
    label: shape.label,
    hint: shape.description,
    error: errors[path],
    optional: marksOptional && !isRequired,
  };
  const placeholder =
    shape.default === undefined || shape.default === null ? undefined : String(shape.default);

  switch (shape.kind) {
    case "text":
      if (shape.isSecret) return <SecretField {...props} />;
      if (LONG.has(field.name) || (typeof value === "string" && value.includes("\n")))
        return (
          <Field {...common}>
            <TextArea
              rows={8}
              value={value === undefined || value === null ? "" : String(value)}
              placeholder={placeholder}
              spellCheck={false}
              onChange={(event) => onChange(event.target.value || undefined)}
            />
          </Field>
        );
      return (
        <Field {...common}>
          <Input
            value={value === undefined || value === null ? "" : String(value)}
            placeholder={placeholder}
            spellCheck={false}
            autoComplete="off"
            onChange={(event) => {
              const text = event.target.value;
              onChange(
                text === "" ? undefined : shape.isNumberToo && /^\d+$/.test(text) ? Number(text) : text,
              );
            }}
          />
        </Field>
      );
    case "number":
      return (
        <Field {...common}>
          <Input
            type="number"
            inputMode="numeric"
            className="max-w-48"
            value={value === undefined || value === null ? "" : String(value)}
            placeholder={placeholder}
            min={shape.minimum}
            max={shape.maximum}
            step={shape.isInteger ? 1 : "any"}
            onChange={(event) => onChange(event.target.value === "" ? undefined : Number(event.target.value))}
          />
        </Field>
      );
    case "enum": {
      const chosen = shape.options.find((option) => option.value === value);
      return (
        <Field {...common} hint={chosen?.description ?? shape.description}>
          <Select
            className="max-w-72"
            value={typeof value === "string" ? value : ""}
            onValueChange={(next) => onChange(next || undefined)}
            placeholder={placeholder ? `${placeholder} (default)` : isRequired ? "Choose one" : "Not set"}
            options={shape.options.map((option) => ({ value: option.value, label: option.value }))}
          />
        </Field>
      );
    }
    case "flag":
      return <FlagField {...props} />;
    case "list":
      return <ListField {...props} shape={shape} />;
    case "map":
      return <MapField {...props} shape={shape} />;
    case "choice":
      return <ChoiceField {...props} shape={shape} />;
    case "object":
      return (
        <fieldset className="rounded border p-3">
          <legend className="px-1 font-medium">{shape.label}</legend>
          {shape.description && <p className="mb-3 text-xs text-ink-3">{shape.description}</p>}
          <ObjectFields
            fields={shape.fields}
            value={isObject(value) ? value : {}}
            onChange={(next) => onChange(Object.keys(next).length > 0 ? next : undefined)}
            errors={errors}
            path={path}
          />
        </fieldset>
      );
    default:
      return <JsonField {...props} />;
  }
}
