import { Upload as UploadIcon } from "lucide-react";
import { useState } from "react";
import type { Collection } from "../../../api/model";
import { useDenial } from "../../../api/roles";
import { Button } from "../../../components/Button";
import { CopyButton } from "../../../components/CopyButton";
import { Field } from "../../../components/Field";
import { Select } from "../../../components/Select";
import { curl } from "../../../format/curl";
import { FilePicker, type Chosen } from "./FilePicker";
import { Outcome } from "./Outcome";
import { useUpload } from "./use-upload";

const MODES = [
  { value: "all", label: "All rows, or none of them" },
  { value: "each", label: "Each row that is right" },
];

/** Many rows at once, from a file or from what is pasted. */
export function UploadTab({ collection }: { collection: Collection }) {
  const [chosen, setChosen] = useState<Chosen | null>(null);
  const [mode, setMode] = useState<"all" | "each">("all");
  const [upsert, setUpsert] = useState("");
  const { progress, send, cancel, reset } = useUpload(collection);
  const denial = useDenial(collection.write);
  const known = collection.columns.filter((column) => column.unique || column.name === collection.key);
  const isSending = progress.state === "sending";
  const query = new URLSearchParams({
    ...(mode === "each" && { mode }),
    ...(upsert && { upsert }),
  }).toString();
  const command = curl({
    method: "POST",
    url: `${window.location.origin}${collection.path}/bulk${query && `?${query}`}`,
    headers: [["content-type", chosen?.mediaType ?? "text/csv"]],
    body: chosen?.mediaType === "application/x-ndjson" ? "@rows.jsonl" : "@rows.csv",
  });

  return (
    <div className="min-h-0 grow overflow-y-auto">
      <div className="flex max-w-4xl flex-col gap-5 p-4 sm:p-6">
        <FilePicker
          columns={collection.columns.filter(
            (column) => column.name !== collection.key || !collection.key_given,
          )}
          chosen={chosen}
          onChoose={(next) => {
            setChosen(next);
            reset();
          }}
        />
        <div className="grid gap-4 sm:grid-cols-2">
          <Field
            label="What is kept"
            hint={
              mode === "all"
                ? "If one row is wrong, nothing is kept, and every mistake is told."
                : "Rows that are wrong are left out and told; the others are kept."
            }
          >
            <Select value={mode} onValueChange={(next) => setMode(next as "all" | "each")} options={MODES} />
          </Field>
          <Field
            label="Rows that are there already"
            hint={
              upsert
                ? `A row with the same ${upsert} is changed, in what the file gives.`
                : "Every row of the file is a new one."
            }
          >
            <Select
              value={upsert}
              onValueChange={setUpsert}
              placeholder="Add all as new rows"
              options={known.map((column) => ({
                value: column.name,
                label: `Change those with the same ${column.name}`,
              }))}
            />
          </Field>
        </div>
        <div className="flex flex-wrap items-center gap-2">
          <Button
            look="primary"
            icon={UploadIcon}
            busy={isSending}
            disabled={!chosen}
            reason={denial}
            onClick={() =>
              chosen && void send({ body: chosen.body, mediaType: chosen.mediaType, mode, upsert })
            }
          >
            Upload
          </Button>
          {isSending && <Button onClick={cancel}>Cancel</Button>}
          <CopyButton text={command} what="curl" withWords size="medium" />
        </div>
        <Outcome collection={collection} progress={progress} mode={mode} />
      </div>
    </div>
  );
}
