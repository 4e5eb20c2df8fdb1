import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { readRow, type Row } from "../../../api/data";
import { ApiError, messageOf } from "../../../api/error";
import { keys } from "../../../api/keys";
import { mistakesByField } from "../../../api/mistakes";
import type { Collection, CollectionColumn } from "../../../api/model";
import { useAddRow, useChangeRow } from "../../../api/queries/data";
import { Button } from "../../../components/Button";
import { Callout } from "../../../components/Callout";
import { Dialog } from "../../../components/Dialog";
import { ErrorState } from "../../../components/ErrorState";
import { Field } from "../../../components/Field";
import { Skeleton } from "../../../components/Skeleton";
import { toast } from "../../../components/toasts";
import { ValueInput } from "../ValueInput";
import { rulesOf, textOf, textsOf, valueOf } from "../values";

interface RowDialogProps {
  collection: Collection;
  collections: Collection[];
  /** The row; none for a new one. */
  row: Row | null;
  /** Why rows cannot be changed. */
  denial: string | undefined;
  onClose: () => void;
}

/** A whole row as a form: to add one, or to change one. */
export function RowDialog(props: RowDialogProps) {
  const { collection, row, onClose } = props;
  const id = row?.[collection.key];
  const current = useQuery({
    queryKey: keys.data("row", collection.name, id),
    queryFn: ({ signal }) => readRow(collection.path, id, signal),
    enabled: row !== null,
    staleTime: 0,
    gcTime: 0,
  });
  if (row === null) return <Form {...props} before={{}} etag={null} />;
  if (current.data)
    return (
      <Form
        {...props}
        key={current.data.etag}
        before={current.data.data}
        etag={current.data.etag}
        onReload={() => void current.refetch()}
      />
    );
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={`${collection.name} ${textOf(id)}`}
      size="medium"
    >
      {current.error ? (
        <ErrorState error={current.error} onRetry={() => void current.refetch()} />
      ) : (
        <Skeleton className="mb-4 h-48 w-full" />
      )}
    </Dialog>
  );
}

interface FormProps extends RowDialogProps {
  before: Row;
  etag: string | null;
  onReload?: () => void;
}

function Form({ collection, collections, row, denial, onClose, before, etag, onReload }: FormProps) {
  const isNew = row === null;
  const fields = collection.columns.filter(
    (column) => column.name !== collection.key || (isNew && !collection.key_given),
  );
  const start = isNew
    ? Object.fromEntries(fields.map((column) => [column.name, textOf(column.default)]))
    : textsOf(collection, before);
  const [texts, setTexts] = useState(start);
  const [wrong, setWrong] = useState<Record<string, string>>({});
  const add = useAddRow(collection);
  const change = useChangeRow(collection);
  const { error, isPending } = isNew ? add : change;
  const isStale = error instanceof ApiError && error.isStale;
  const told = mistakesByField(
    error,
    fields.map((column) => column.name),
  );
  const errors = { ...told, ...wrong };
  const id = before[collection.key];

  const submit = () => {
    const [values, mistakes] = read(fields, texts, start, isNew);
    setWrong(mistakes);
    if (isPending || Object.keys(mistakes).length > 0) return;
    const done = (name: string) => {
      toast(`${collection.name} ${name} is saved.`, { tone: "ok" });
      onClose();
    };
    if (isNew) add.mutate(values, { onSuccess: (made) => done(textOf(made[collection.key])) });
    else if (Object.keys(values).length === 0) onClose();
    else change.mutate({ id, change: values, etag }, { onSuccess: () => done(textOf(id)) });
  };
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={isNew ? `Add a row to ${collection.name}` : `${collection.name} ${textOf(id)}`}
      description={isNew ? collection.description : undefined}
      size="medium"
      footer={
        <>
          <Button onClick={onClose}>{denial ? "Close" : "Cancel"}</Button>
          {!denial && (
            <Button look="primary" type="submit" form="row" busy={isPending}>
              {isNew ? "Add row" : "Save"}
            </Button>
          )}
        </>
      }
    >
      <form
        id="row"
        noValidate
        className="grid gap-4 pb-2 sm:grid-cols-2"
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        {fields.map((column, index) => (
          <Field
            key={column.name}
            label={column.name}
            optional={!column.required}
            hint={[
              column.description,
              [column.type, ...rulesOf(column).filter((rule) => rule !== "required")].join(", "),
            ]
              .filter(Boolean)
              .join(". ")}
            error={errors[column.name]}
            className={column.type === "json" ? "sm:col-span-2" : ""}
          >
            <ValueInput
              autoFocus={index === 0}
              column={column}
              target={collections.find((one) => one.name === column.references?.collection)}
              value={texts[column.name] ?? ""}
              disabled={Boolean(denial)}
              onValueChange={(text) => {
                setTexts({ ...texts, [column.name]: text });
                setWrong({ ...wrong, [column.name]: "" });
              }}
            />
          </Field>
        ))}
        {isStale ? (
          <Callout
            tone="warn"
            title="Somebody else changed this row"
            action={
              <Button size="small" onClick={onReload}>
                Show it
              </Button>
            }
          >
            Nothing of yours is saved. Look at it as it is now, and change it again.
          </Callout>
        ) : (
          error && Object.values(told).length === 0 && <Callout tone="fail">{messageOf(error)}</Callout>
        )}
      </form>
    </Dialog>
  );
}

/** What was typed as values, with what is wrong with it. Of a row that is there, only what has changed. */
function read(
  fields: CollectionColumn[],
  texts: Record<string, string>,
  start: Record<string, string>,
  isNew: boolean,
): [Row, Record<string, string>] {
  const values: Row = {};
  const mistakes: Record<string, string> = {};
  for (const { name, type } of fields) {
    const text = texts[name] ?? "";
    if (isNew ? text === "" : text === start[name]) continue;
    const found = valueOf(type, text);
    if ("error" in found) mistakes[name] = found.error;
    else values[name] = found.value;
  }
  return [values, mistakes];
}
