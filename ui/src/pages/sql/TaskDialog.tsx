import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { ApiError } from "../../api/error";
import { useSaveDocument } from "../../api/queries/documents";
import type { Query } from "../../api/queries/sql";
import { Code } from "../../components/Code";
import { CopyButton } from "../../components/CopyButton";
import { Field } from "../../components/Field";
import { FormDialog } from "../../components/FormDialog";
import { Input } from "../../components/Input";
import { Select } from "../../components/Select";
import { taskDocument } from "./task-document";

interface TaskDialogProps {
  query: Query;
  connections: readonly string[];
  onClose: () => void;
}

/** Makes a query a pipeline of one task, or gives its document to copy. */
export function TaskDialog({ query, connections, onClose }: TaskDialogProps) {
  const [name, setName] = useState("");
  const [connection, setConnection] = useState("");
  const [stream, setStream] = useState("");
  const save = useSaveDocument(name);
  const navigate = useNavigate();
  const text = taskDocument(name || "query", query, {
    connection: connection || "CONNECTION",
    stream: stream || "STREAM",
  });
  const make = () =>
    save.mutate(
      { text, etag: null },
      { onSuccess: () => void navigate({ to: "/pipelines/$name/$tab", params: { name, tab: "graph" } }) },
    );
  return (
    <FormDialog
      title="Save as task"
      description="A pipeline that loads the answer, each time in place of the rows of before. It can be changed as code."
      action="Make the pipeline"
      isBusy={save.isPending}
      isReady={Boolean(name && connection && stream)}
      error={
        isTaken(save.error)
          ? new Error(`There is a pipeline ${name} already. Choose another name.`)
          : save.error
      }
      onSubmit={make}
      onClose={onClose}
    >
      <Field label="Pipeline">
        <Input value={name} onChange={(event) => setName(event.target.value)} placeholder="daily_sales" />
      </Field>
      <Field label="Connection" hint="Where the answer goes.">
        <Select
          value={connection}
          onValueChange={setConnection}
          placeholder="Choose one"
          options={connections.map((value) => ({ value, label: value }))}
        />
      </Field>
      <Field label="Stream" hint="Made where it is not there yet; its rows are replaced.">
        <Input value={stream} onChange={(event) => setStream(event.target.value)} placeholder="daily_sales" />
      </Field>
      <Code value={text} language="yaml" label="Document" height="180px" />
      <span>
        <CopyButton text={text} what="the YAML" withWords />
      </span>
    </FormDialog>
  );
}

/** Whether there is a pipeline of that name: it is changed on its own page, and not from here. */
function isTaken(error: unknown): boolean {
  return error instanceof ApiError && error.status === 428;
}
