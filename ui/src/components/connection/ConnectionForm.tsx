import type { Connector } from "../../api/model";
import { urlExample, type ConnectionDraft } from "../../format/connection-draft";
import { Field } from "../Field";
import { Input } from "../Input";
import { SchemaForm } from "../schema-form/SchemaForm";
import type { JsonSchema } from "../schema-form/shape";
import { TAB, TAB_LIST } from "../tab-classes";

interface ConnectionFormProps {
  draft: ConnectionDraft;
  onChange: (draft: ConnectionDraft) => void;
  connector: Connector;
  /** Mistakes by field; `name`, `url`, or a path of the settings. */
  errors: Record<string, string>;
  /** A saved connection keeps its name. */
  isNew: boolean;
}

/** The fields of a connection, drawn from the schema of its connector, or one URL in place of them. */
export function ConnectionForm({ draft, onChange, connector, errors, isNew }: ConnectionFormProps) {
  const example = urlExample(connector.settings);
  // settings that have a URL among them keep it there
  const without = draft.settings["url"] === undefined ? ["url"] : [];
  return (
    <div className="flex flex-col gap-4">
      {isNew && (
        <Field label="Name" hint="Pipelines use it by this name." error={errors["name"]}>
          <Input
            value={draft.name}
            spellCheck={false}
            autoComplete="off"
            onChange={(event) => onChange({ ...draft, name: event.target.value })}
          />
        </Field>
      )}
      <div role="group" aria-label="How it is given" className={`${TAB_LIST} border-b`}>
        {(["fields", "url"] as const).map((form) => (
          <button
            key={form}
            type="button"
            aria-pressed={draft.form === form}
            data-state={draft.form === form ? "active" : undefined}
            className={TAB}
            onClick={() => onChange({ ...draft, form })}
          >
            {form === "fields" ? "Fields" : "URL"}
          </button>
        ))}
      </div>
      {draft.form === "url" ? (
        <Field
          label="URL"
          error={errors["url"]}
          hint={
            example
              ? `For instance ${example}. A password in it is stored as a secret.`
              : "A password in it is stored as a secret."
          }
        >
          <Input
            value={draft.url}
            placeholder={example}
            spellCheck={false}
            autoComplete="off"
            className="font-mono text-xs"
            onChange={(event) => onChange({ ...draft, url: event.target.value })}
          />
        </Field>
      ) : (
        <SchemaForm
          key={connector.name}
          schema={connector.settings as JsonSchema}
          value={draft.settings}
          onChange={(settings) => onChange({ ...draft, settings })}
          errors={errors}
          without={without}
        />
      )}
    </div>
  );
}
