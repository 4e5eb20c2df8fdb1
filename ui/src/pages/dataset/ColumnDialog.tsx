import { useState } from "react";
import type { Versioned } from "../../api/client";
import type { Dataset, DatasetColumn } from "../../api/model";
import { useUpdateDataset } from "../../api/queries/datasets";
import { Field } from "../../components/Field";
import { FormDialog } from "../../components/FormDialog";
import { TagsInput } from "../../components/TagsInput";
import { TextArea } from "../../components/TextArea";

interface ColumnDialogProps {
  dataset: Versioned<Dataset>;
  column: DatasetColumn;
  onClose: () => void;
}

/** What is written about a column. */
export function ColumnDialog({ dataset, column, onClose }: ColumnDialogProps) {
  // what was there when it opened: a change that comes meanwhile is not overwritten, but told
  const [{ data, etag }] = useState(dataset);
  const [description, setDescription] = useState(column.description ?? "");
  const [tags, setTags] = useState(column.tags);
  const update = useUpdateDataset(data.name, etag);
  return (
    <FormDialog
      title={`Column ${column.name}`}
      action="Save"
      isBusy={update.isPending}
      error={update.error}
      onClose={onClose}
      onSubmit={() =>
        update.mutate({ columns: { [column.name]: { description, tags } } }, { onSuccess: onClose })
      }
    >
      <Field label="About" optional>
        <TextArea rows={3} value={description} onChange={(event) => setDescription(event.target.value)} />
      </Field>
      <fieldset>
        <legend className="mb-1 font-medium">Tags</legend>
        <TagsInput tags={tags} onChange={setTags} />
      </fieldset>
    </FormDialog>
  );
}
