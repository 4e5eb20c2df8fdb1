import { Field } from "../../components/Field";
import { Input } from "../../components/Input";

interface ParamFieldsProps {
  names: string[];
  values: Record<string, string>;
  onChange: (values: Record<string, string>) => void;
  onSubmit: () => void;
}

/** The values of the parameters that a query names. */
export function ParamFields({ names, values, onChange, onSubmit }: ParamFieldsProps) {
  return (
    <form
      aria-label="Parameters"
      className="flex flex-wrap gap-3 border-t px-4 py-2 sm:px-6"
      onSubmit={(event) => {
        event.preventDefault();
        onSubmit();
      }}
    >
      {names.map((name) => (
        <Field key={name} label={`$${name}`} className="min-w-32 max-sm:grow">
          <Input
            value={values[name] ?? ""}
            onChange={(event) => onChange({ ...values, [name]: event.target.value })}
          />
        </Field>
      ))}
      {/* Enter in a field runs the query; a form of several fields needs a button for that */}
      <button type="submit" hidden aria-hidden tabIndex={-1} />
    </form>
  );
}
