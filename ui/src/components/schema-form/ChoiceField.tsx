import { useState } from "react";
import { Field } from "../Field";
import { Select } from "../Select";
import { SchemaField, type SchemaFieldProps } from "./SchemaField";
import { isObject, type Shape } from "./shape";

interface ChoiceFieldProps extends SchemaFieldProps {
  shape: Extract<Shape, { kind: "choice" }>;
}

/** One of several forms of a value; switching starts it anew. */
export function ChoiceField({ shape, field, value, onChange, errors, path }: ChoiceFieldProps) {
  const [chosen, setChosen] = useState(() => shape.options.findIndex((option) => fits(option, value)));
  const option = shape.options[chosen];
  return (
    <fieldset className="rounded border p-3">
      <legend className="px-1 font-medium">{shape.label}</legend>
      <div className="flex flex-col gap-4">
        <Field label="Kind" hint={shape.description} error={errors[path]}>
          <Select
            className="max-w-72"
            value={chosen < 0 ? "" : String(chosen)}
            placeholder={field.isRequired ? "Choose one" : "Not set"}
            onValueChange={(next) => {
              setChosen(next === "" ? -1 : Number(next));
              onChange(undefined);
            }}
            options={shape.options.map((one, index) => ({
              value: String(index),
              label: one.label || `Option ${index + 1}`,
            }))}
          />
        </Field>
        {option && (
          <SchemaField
            field={{ ...field, shape: option }}
            value={value}
            onChange={onChange}
            errors={errors}
            path={path}
          />
        )}
      </div>
    </fieldset>
  );
}

/** Whether a value can be of this form. */
function fits(shape: Shape, value: unknown): boolean {
  switch (shape.kind) {
    case "object": {
      const names = new Set(shape.fields.map((field) => field.name));
      const needed = shape.fields
        .filter((field) => field.isRequired)
        .every((field) => isObject(value) && field.name in value);
      return isObject(value) && needed && Object.keys(value).every((name) => names.has(name));
    }
    case "list":
      return Array.isArray(value);
    case "map":
      return isObject(value);
    case "flag":
      return typeof value === "boolean";
    case "number":
      return typeof value === "number";
    case "enum":
      return shape.options.some((option) => option.value === value);
    case "text":
      return typeof value === "string";
    default:
      return false;
  }
}
