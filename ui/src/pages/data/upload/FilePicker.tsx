import { FileUp, X } from "lucide-react";
import { useId, useRef, useState, type DragEvent } from "react";
import type { CollectionColumn } from "../../../api/model";
import { Button } from "../../../components/Button";
import { classes } from "../../../components/classes";
import { Field } from "../../../components/Field";
import { IconButton } from "../../../components/IconButton";
import { TextArea } from "../../../components/TextArea";
import { bytes } from "../../../format/numbers";
import { mediaTypeOf } from "./told";

/** Rows to upload. */
export interface Chosen {
  name: string;
  body: Blob;
  mediaType: "text/csv" | "application/x-ndjson";
  /** The first lines, to see that it is the right file. */
  start: string;
}

interface FilePickerProps {
  /** The columns that a file can give. */
  columns: CollectionColumn[];
  chosen: Chosen | null;
  onChoose: (chosen: Chosen | null) => void;
}

/** As much of a file as is looked at before it is sent. */
const START_BYTES = 2_000;
const START_LINES = 6;
const FORMATS = { "text/csv": "CSV", "application/x-ndjson": "JSON lines" };

/** A file, chosen or dropped, or text that is pasted. */
export function FilePicker({ columns, chosen, onChoose }: FilePickerProps) {
  const input = useRef<HTMLInputElement>(null);
  const hint = useId();
  const [isOver, setOver] = useState(false);
  const [pasted, setPasted] = useState("");
  const [isPasting, setPasting] = useState(false);

  const choose = async (file: File | undefined) => {
    if (!file) return;
    const start = await file.slice(0, START_BYTES).text();
    onChoose({
      name: file.name,
      body: file,
      mediaType: mediaTypeOf(file.name, start),
      start: firstLines(start),
    });
  };
  const paste = (text: string) => {
    setPasted(text);
    const body = new Blob([text]);
    onChoose(
      text.trim()
        ? { name: "", body, mediaType: mediaTypeOf("", text), start: firstLines(text.slice(0, START_BYTES)) }
        : null,
    );
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    void choose(event.dataTransfer.files[0]);
  };

  if (isPasting)
    return (
      <div>
        <Field
          label="Rows"
          hint={
            chosen
              ? `${FORMATS[chosen.mediaType]}, ${bytes(chosen.body.size)}`
              : "CSV with a line of names, or one JSON object in each line."
          }
        >
          <TextArea
            rows={10}
            autoFocus
            spellCheck={false}
            value={pasted}
            placeholder={example(columns)}
            onChange={(event) => paste(event.target.value)}
          />
        </Field>
        <Button
          size="small"
          look="ghost"
          className="mt-2"
          onClick={() => {
            paste("");
            setPasting(false);
          }}
        >
          Choose a file instead
        </Button>
      </div>
    );
  if (chosen)
    return (
      <div className="overflow-hidden rounded-lg border">
        <div className="flex items-center gap-2 border-b py-1.5 pr-1.5 pl-3">
          <span className="min-w-0 grow truncate font-medium">{chosen.name}</span>
          <span className="shrink-0 text-xs text-ink-2">
            {FORMATS[chosen.mediaType]}, {bytes(chosen.body.size)}
          </span>
          <IconButton icon={X} label="Choose another file" size="small" onClick={() => onChoose(null)} />
        </div>
        <pre
          tabIndex={0}
          aria-label="The first lines"
          className="max-h-40 overflow-auto bg-sunken px-3 py-2 font-mono text-xs/5"
        >
          {chosen.start}
        </pre>
      </div>
    );
  return (
    <div
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
      className={classes(
        "flex flex-col items-center gap-3 rounded-lg border border-dashed border-line-strong px-4 py-8 text-center",
        isOver && "border-accent bg-accent-soft",
      )}
    >
      <FileUp className="size-6 text-ink-3" strokeWidth={1.5} aria-hidden />
      <p>Drop a CSV file or JSON lines here</p>
      <div className="flex flex-wrap justify-center gap-2">
        <Button aria-describedby={hint} onClick={() => input.current?.click()}>
          Choose a file
        </Button>
        <Button onClick={() => setPasting(true)}>Paste rows</Button>
      </div>
      <p id={hint} className="max-w-xl text-xs text-ink-3">
        Of any size. Columns: {columns.map((column) => column.name).join(", ")}
      </p>
      <input
        ref={input}
        type="file"
        accept=".csv,.jsonl,.ndjson,text/csv"
        aria-label="File with rows"
        tabIndex={-1}
        className="sr-only"
        onChange={(event) => {
          void choose(event.target.files?.[0]);
          event.target.value = "";
        }}
      />
    </div>
  );
}

function firstLines(text: string): string {
  return text.split(/\r?\n/).slice(0, START_LINES).join("\n");
}

function example(columns: CollectionColumn[]): string {
  return `${columns.map((column) => column.name).join(",")}\n${columns.map((_, index) => (index === 0 ? "..." : "")).join(",")}`;
}
