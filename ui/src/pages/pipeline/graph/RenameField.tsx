import { useState } from "react";
import { Button } from "../../../components/Button";
import { Field } from "../../../components/Field";
import { Input } from "../../../components/Input";
import type { TaskEntry } from "../../../format/pipeline-outline";
import { nameProblem, withRenamedTask } from "../../../format/pipeline-yaml";
import type { Draft } from "../use-draft";

interface RenameFieldProps {
  entry: TaskEntry;
  names: string[];
  draft: Draft;
  onRenamed: (name: string) => void;
}

/** The name of a task; those that wait for it follow. */
export function RenameField({ entry, names, draft, onRenamed }: RenameFieldProps) {
  const [name, setName] = useState(entry.name);
  const isNew = name !== entry.name;
  const problem = isNew ? nameProblem(name, names) : undefined;
  const hint =
    isNew && entry.kind === "sync"
      ? "Destinations remember how far a sync came by its name: under another one it starts anew."
      : undefined;
  return (
    <form
      className="flex items-start gap-2"
      onSubmit={(event) => {
        event.preventDefault();
        if (!isNew || problem) return;
        draft.change(withRenamedTask(draft.text, entry.name, name));
        onRenamed(name);
      }}
    >
      <Field label="Name" className="grow" error={problem} hint={hint}>
        <Input
          value={name}
          spellCheck={false}
          autoComplete="off"
          onChange={(event) => setName(event.target.value)}
        />
      </Field>
      {isNew && (
        <Button type="submit" className="mt-[22px]" disabled={problem !== undefined}>
          Rename
        </Button>
      )}
    </form>
  );
}
