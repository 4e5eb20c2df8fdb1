import { useState } from "react";
import { Button } from "../../../components/Button";
import { Field } from "../../../components/Field";
import { Input } from "../../../components/Input";
import { Panel } from "../../../components/Panel";
import { TextArea } from "../../../components/TextArea";
import { withTop } from "../../../format/pipeline-yaml";
import { useAllowed } from "../use-allowed";
import type { Draft } from "../use-draft";
import { useDraftOutline } from "../use-outline";

interface AboutProps {
  pipeline: string;
  draft: Draft;
}

/** What a pipeline is for, who answers for it, and the words to find it by. They are part of its document. */
export function About({ pipeline, draft }: AboutProps) {
  const outline = useDraftOutline(draft.text, draft.isDirty);
  const said = {
    description: outline?.description ?? "",
    owner: outline?.owner ?? "",
    tags: outline?.tags.join(", ") ?? "",
  };
  const [typed, setTyped] = useState<Partial<typeof said>>({});
  const denial = useAllowed(pipeline, "editor");
  const now = { ...said, ...typed };
  const isReadOnly = denial !== undefined || !outline;
  const isChanged = (Object.keys(said) as (keyof typeof said)[]).some((key) => now[key] !== said[key]);

  const apply = () => {
    const tags = [...new Set(now.tags.split(/[,\s]+/).filter(Boolean))];
    let text = draft.text;
    if (now.description !== said.description)
      text = withTop(text, "description", now.description || undefined);
    if (now.owner !== said.owner) text = withTop(text, "owner", now.owner || undefined);
    if (now.tags !== said.tags) text = withTop(text, "tags", tags.length > 0 ? tags : undefined);
    draft.change(text);
    setTyped({});
  };

  return (
    <Panel title="About">
      <form
        className="flex flex-col gap-4 p-3"
        onSubmit={(event) => {
          event.preventDefault();
          if (!isReadOnly && isChanged) apply();
        }}
      >
        <Field label="Description" optional>
          <TextArea
            rows={2}
            className="font-sans text-sm"
            value={now.description}
            readOnly={isReadOnly}
            onChange={(event) => setTyped({ ...typed, description: event.target.value })}
          />
        </Field>
        <Field label="Owner" hint="Who answers for it." optional>
          <Input
            value={now.owner}
            readOnly={isReadOnly}
            onChange={(event) => setTyped({ ...typed, owner: event.target.value })}
          />
        </Field>
        <Field
          label="Tags"
          hint="Words to find it by, with commas between them. Roles can be given by tag."
          optional
        >
          <Input
            value={now.tags}
            readOnly={isReadOnly}
            onChange={(event) => setTyped({ ...typed, tags: event.target.value })}
          />
        </Field>
        <Button type="submit" className="self-start" reason={denial} disabled={!isChanged}>
          Put into the document
        </Button>
      </form>
    </Panel>
  );
}
