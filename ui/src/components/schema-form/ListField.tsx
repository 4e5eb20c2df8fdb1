import { Plus, Trash2 } from "lucide-react";
import { Button } from "../Button";
import { IconButton } from "../IconButton";
import { SchemaField, type SchemaFieldProps } from "./SchemaField";
import type { Shape } from "./shape";

interface ListFieldProps extends SchemaFieldProps {
  shape: Extract<Shape, { kind: "list" }>;
}

/** Several values of one kind. */
export function ListField({ shape, value, onChange, errors, path }: ListFieldProps) {
  const items: unknown[] = Array.isArray(value) ? value : [];
  const set = (next: unknown[]) => onChange(next.length > 0 ? next : undefined);
  return (
    <fieldset>
      <legend className="mb-1 font-medium">{shape.label}</legend>
      <div className="flex flex-col gap-2">
        {items.map((item, index) => (
          <div key={index} className="flex items-end gap-1">
            <div className="min-w-0 grow">
              <SchemaField
                field={{
                  name: String(index),
                  isRequired: true,
                  shape: { ...shape.item, label: `${shape.label} ${index + 1}` },
                }}
                value={item}
                onChange={(next) => set(items.map((other, at) => (at === index ? (next ?? "") : other)))}
                errors={errors}
                path={`${path}.${index}`}
              />
            </div>
            <IconButton
              icon={Trash2}
              label={`Remove ${shape.label} ${index + 1}`}
              onClick={() => set(items.filter((_, at) => at !== index))}
            />
          </div>
        ))}
      </div>
      {errors[path] && <p className="mt-1 text-xs text-fail">{errors[path]}</p>}
      {shape.description && <p className="mt-1 text-xs text-ink-3">{shape.description}</p>}
      <Button icon={Plus} size="small" className="mt-2" onClick={() => set([...items, blank(shape.item)])}>
        Add
      </Button>
    </fieldset>
  );
}

function blank(shape: Shape): unknown {
  return shape.kind === "object" ? {} : shape.kind === "flag" ? false : shape.kind === "number" ? 0 : "";
}
