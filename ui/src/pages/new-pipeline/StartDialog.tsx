import { useQuery } from "@tanstack/react-query";
import { FileUp } from "lucide-react";
import { useId, useRef, useState } from "react";
import { allConnectionsOptions } from "../../api/queries/connections";
import { Button } from "../../components/Button";
import { classes } from "../../components/classes";
import { Dialog } from "../../components/Dialog";
import { Field } from "../../components/Field";
import { TextArea } from "../../components/TextArea";
import { endsOf, EXAMPLES } from "./examples";

interface StartDialogProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  onText: (text: string) => void;
}

/** Starts from a document: pasted, dropped, chosen from the disk, or an example. */
export function StartDialog({ open, onOpenChange, onText }: StartDialogProps) {
  const { data: connections } = useQuery(allConnectionsOptions);
  const [text, setText] = useState("");
  const [isOver, setOver] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const id = useId();
  const start = (document: string) => {
    onText(document);
    setText("");
    onOpenChange(false);
  };
  const read = async (file: File | undefined) => {
    if (file) start(await file.text());
  };

  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      size="medium"
      title="Start from a document"
      description="A pipeline is one YAML document. What it says appears in the steps, as far as they can show it."
      footer={
        <Button look="primary" disabled={!text.trim()} onClick={() => start(text)}>
          Start from this text
        </Button>
      }
    >
      <div
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={(event) => {
          event.preventDefault();
          setOver(false);
          void read(event.dataTransfer.files[0]);
        }}
        className={classes("rounded", isOver && "outline-2 outline-offset-4 outline-accent")}
      >
        <Field label="Paste it here, or drop a file">
          <TextArea
            rows={7}
            value={text}
            spellCheck={false}
            onChange={(event) => setText(event.target.value)}
          />
        </Field>
        <input
          ref={input}
          id={id}
          type="file"
          accept=".yaml,.yml"
          aria-label="A YAML file"
          className="sr-only"
          tabIndex={-1}
          onChange={(event) => void read(event.target.files?.[0])}
        />
        <Button icon={FileUp} size="small" className="mt-2" onClick={() => input.current?.click()}>
          Choose a file
        </Button>
      </div>
      <h3 className="mt-5 mb-1 font-semibold">Or an example</h3>
      <ul className="-mx-2 mb-2 flex flex-col">
        {EXAMPLES.map((example) => (
          <li key={example.title}>
            <button
              type="button"
              onClick={() => start(example.text(endsOf(connections ?? [])))}
              className="w-full rounded px-2 py-1.5 text-left hover:bg-hover"
            >
              <span className="block font-medium">{example.title}</span>
              <span className="block text-xs text-ink-2">{example.says}</span>
            </button>
          </li>
        ))}
      </ul>
    </Dialog>
  );
}
