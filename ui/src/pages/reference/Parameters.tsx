import type { OpenApi, Parameter } from "../../api/openapi";
import { Input } from "../../components/Input";
import { typeWords } from "./operations";

interface ParametersProps {
  parameters: Parameter[];
  document: OpenApi;
  values: Record<string, string>;
  onChange: (name: string, value: string) => void;
}

/** What an operation takes, with fields whose values go into the command above. */
export function Parameters({ parameters, document, values, onChange }: ParametersProps) {
  return (
    <ul className="rounded border">
      {parameters.map(({ name, in: place, required, description, schema }) => (
        <li
          key={`${place}:${name}`}
          className="grid items-center gap-x-4 gap-y-1.5 border-t px-3 py-2 first:border-t-0 sm:grid-cols-[minmax(0,1fr)_180px]"
        >
          <div className="min-w-0">
            <p className="flex flex-wrap items-baseline gap-x-2">
              <code className="font-mono text-xs font-semibold wrap-anywhere">{name}</code>
              <span className="text-xs text-ink-3">
                {typeWords(schema, document)}, in the {place}
              </span>
              {required && <span className="text-xs text-warn">required</span>}
            </p>
            {description && <p className="text-ink-2">{description}</p>}
          </div>
          <Input
            aria-label={`Value of ${name} in the command`}
            value={values[name] ?? ""}
            onChange={(event) => onChange(name, event.target.value)}
            spellCheck={false}
            autoComplete="off"
            className="h-7! font-mono text-xs!"
          />
        </li>
      ))}
    </ul>
  );
}
