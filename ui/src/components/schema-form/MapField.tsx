import { Plus, Trash2 } from "lucide-react";
import { Button } from "../Button";
import { Field } from "../Field";
import { IconButton } from "../IconButton";
import { Input } from "../Input";
import { SchemaField, type SchemaFieldProps } from "./SchemaField";
import { isObject, type Shape } from "./shape";

interface MapFieldProps extends SchemaFieldProps {
  shape: Extract<Shape, { kind: "map" }>;
}

/** Values by names that are free to choose. */
export function MapField({ shape, value, onChange, errors, path }: MapFieldProps) {
  const entries = Object.entries(isObject(value) ? value : {});
  const set = (next: [string, unknown][]) => onChange(next.length > 0 ? Object.fromEntries(next) : undefined);
  const change = (index: number, entry: [string, unknown]) =>
    set(entries.map((other, at) => (at === index ? entry : other)));
  return (
    <fieldset>
      <legend className="mb-1 font-medium">{shape.label}</legend>
      {shape.description && <p className="mb-2 text-xs text-ink-3">{shape.description}</p>}
      <div className="flex flex-col gap-2">
        {entries.map(([name, item], index) => (
          <div key={index} className="flex items-end gap-1">
            <Field label="Name" className="w-2/5">
              <Input value={name} onChange={(event) => change(index, [event.target.value, item])} />
            </Field>
            <div className="min-w-0 grow">
              <SchemaField
                field={{ name, isRequired: true, shape: { ...shape.value, label: "Value" } }}
                value={item}
                onChange={(next) => change(index, [name, next ?? ""])}
                errors={errors}
                path={`${path}.${name}`}
              />
            </div>
            <IconButton
              icon={Trash2}
              label={`Remove ${name || "this entry"}`}
              onClick={() => set(entries.filter((_, at) => at !== index))}
            />
          </div>
        ))}
      </div>
      <Button icon={Plus} size="small" className="mt-2" onClick={() => set([...entries, ["", ""]])}>
        Add
      </Button>
    </fieldset>
  );
}
