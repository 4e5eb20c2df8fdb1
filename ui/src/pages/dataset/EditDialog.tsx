import { useState } from "react";
import type { Versioned } from "../../api/client";
import type { Dataset } from "../../api/model";
import { useUpdateDataset } from "../../api/queries/datasets";
import { Field } from "../../components/Field";
import { FormDialog } from "../../components/FormDialog";
import { Input } from "../../components/Input";
import { TagsInput } from "../../components/TagsInput";
import { TextArea } from "../../components/TextArea";

interface EditDialogProps {
  dataset: Versioned<Dataset>;
  onClose: () => void;
}

/** What is written about a dataset. */
export function EditDialog({ dataset, onClose }: EditDialogProps) {
  // what was there when it opened: a change that comes meanwhile is not overwritten, but told
  const [{ data, etag }] = useState(dataset);
  const [owner, setOwner] = useState(data.owner ?? "");
  const [description, setDescription] = useState(data.description ?? "");
  const [tags, setTags] = useState(data.tags);
  const update = useUpdateDataset(data.name, etag);
  return (
    <FormDialog
      title={`About ${data.name}`}
      action="Save"
      isBusy={update.isPending}
      error={update.error}
      onClose={onClose}
      onSubmit={() => update.mutate({ owner, description, tags }, { onSuccess: onClose })}
    >
      <Field label="Owner" optional hint="Who answers for it.">
        <Input value={owner} onChange={(event) => setOwner(event.target.value)} />
      </Field>
      <Field label="Description" optional>
        <TextArea rows={4} value={description} onChange={(event) => setDescription(event.target.value)} />
      </Field>
      <fieldset>
        <legend className="mb-1 font-medium">Tags</legend>
        <TagsInput tags={tags} onChange={setTags} />
      </fieldset>
    </FormDialog>
  );
}
