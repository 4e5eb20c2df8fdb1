import { useState } from "react";
import { Field } from "../../components/Field";
import { Input } from "../../components/Input";
import { changed, type Draft } from "./draft";
import type { StepProps } from "./step-props";

interface DetailFieldsProps extends StepProps {
  nameMistake: string | undefined;
}

/** Name, description, tags and owner. Of a document written by hand they are written there. */
export function DetailFields({ draft, onChange, nameMistake }: DetailFieldsProps) {
  const [tags, setTags] = useState<string>();
  const set = (change: Partial<Draft>) => onChange((before) => changed(before, change));
  const isForeign = draft.foreign !== null;
  return (
    <div className="mb-5 grid gap-x-4 gap-y-3 sm:grid-cols-2 xl:grid-cols-[1fr_2fr_1fr_1fr]">
      <Field label="Name" error={nameMistake}>
        <Input
          value={draft.name}
          disabled={isForeign}
          spellCheck={false}
          autoComplete="off"
          onChange={(event) => set({ name: event.target.value })}
        />
      </Field>
      <Field label="Description" optional>
        <Input
          value={draft.description}
          disabled={isForeign}
          placeholder="What it is for"
          onChange={(event) => set({ description: event.target.value })}
        />
      </Field>
      <Field label="Tags" optional>
        <Input
          value={tags ?? draft.tags.join(", ")}
          disabled={isForeign}
          placeholder="sales, daily"
          spellCheck={false}
          onBlur={() => setTags(undefined)}
          onChange={(event) => {
            setTags(event.target.value);
            set({
              tags: event.target.value
                .split(",")
                .map((tag) => tag.trim())
                .filter(Boolean),
            });
          }}
        />
      </Field>
      <Field label="Owner" optional>
        <Input
          value={draft.owner}
          disabled={isForeign}
          placeholder="Who answers for it"
          onChange={(event) => set({ owner: event.target.value })}
        />
      </Field>
    </div>
  );
}
