import { ChevronRight } from "lucide-react";
import { Collapsible } from "radix-ui";
import { useState } from "react";
import { SchemaField } from "./SchemaField";
import { withField, type FieldShape } from "./shape";

interface ObjectFieldsProps {
  fields: FieldShape[];
  value: Record<string, unknown>;
  onChange: (value: Record<string, unknown>) => void;
  errors: Record<string, string>;
  path: string;
}

/** With more fields than this, those that can be left alone are folded away. */
const SHOWN_MAX = 8;

/** The fields of an object; what is needed and what comes first is in sight. */
export function ObjectFields({ fields, value, onChange, errors, path }: ObjectFieldsProps) {
  const [isOpen, setOpen] = useState(false);
  const at = (field: FieldShape) => (path ? `${path}.${field.name}` : field.name);
  const isInSight = (field: FieldShape, index: number) =>
    fields.length <= SHOWN_MAX ||
    index < SHOWN_MAX - 1 ||
    field.isRequired ||
    value[field.name] !== undefined;
  // a field does not wander while it is typed into: what was folded away when the form opened stays there
  const [folded] = useState(
    () => new Set(fields.filter((field, index) => !isInSight(field, index)).map((field) => field.name)),
  );
  const hidden = fields.filter((field) => folded.has(field.name));
  const isWrong = hidden.some((field) =>
    Object.keys(errors).some((key) => key === at(field) || key.startsWith(`${at(field)}.`)),
  );
  const marksOptional = fields.some((field) => field.isRequired);
  const show = (field: FieldShape) => (
    <SchemaField
      key={field.name}
      field={field}
      value={value[field.name]}
      onChange={(next) => onChange(withField(value, field.name, next))}
      errors={errors}
      path={at(field)}
      marksOptional={marksOptional}
    />
  );

  return (
    <div className="flex flex-col gap-4">
      {fields.filter((field) => !folded.has(field.name)).map(show)}
      {hidden.length > 0 && (
        <Collapsible.Root open={isOpen || isWrong} onOpenChange={setOpen}>
          <Collapsible.Trigger className="group flex items-center gap-1 font-medium text-ink-2 hover:text-ink">
            <ChevronRight
              className="size-3.5 transition-transform group-data-[state=open]:rotate-90"
              aria-hidden
            />
            More settings ({hidden.length})
          </Collapsible.Trigger>
          <Collapsible.Content className="mt-4 flex flex-col gap-4">{hidden.map(show)}</Collapsible.Content>
        </Collapsible.Root>
      )}
    </div>
  );
}
