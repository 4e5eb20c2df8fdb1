import { Field } from "../Field";
import { Input } from "../Input";
import { Switch } from "../Switch";
import type { Param } from "../../format/pipeline-outline";

interface ParamsFormProps {
  params: Param[];
  values: Record<string, string>;
  onChange: (values: Record<string, string>) => void;
  errors?: Record<string, string>;
}

/** A field for each parameter of a pipeline; without a value its default counts. */
export function ParamsForm({ params, values, onChange, errors = {} }: ParamsFormProps) {
  return params.map((param) => {
    const value = values[param.name];
    const set = (next: string | undefined) => {
      const { [param.name]: _before, ...rest } = values;
      onChange(next === undefined ? rest : { ...values, [param.name]: next });
    };
    const standard = param.default === null ? undefined : String(param.default);
    return (
      <Field
        key={param.name}
        label={param.name}
        hint={param.description ?? undefined}
        error={errors[param.name]}
        optional={standard !== undefined}
      >
        {param.type === "bool" ? (
          <Switch checked={(value ?? standard) === "true"} onCheckedChange={(next) => set(String(next))} />
        ) : (
          <Input
            type={
              param.type === "date"
                ? "date"
                : param.type === "int" || param.type === "number"
                  ? "number"
                  : "text"
            }
            step={param.type === "int" ? 1 : "any"}
            value={value ?? (param.type === "date" ? (standard ?? "") : "")}
            placeholder={standard}
            spellCheck={false}
            autoComplete="off"
            onChange={(event) => set(event.target.value || undefined)}
          />
        )}
      </Field>
    );
  });
}
