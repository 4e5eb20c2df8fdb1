import { useQuery } from "@tanstack/react-query";
import { ChevronRight, Plus, Trash2 } from "lucide-react";
import { Collapsible } from "radix-ui";
import { useId, useMemo, useState } from "react";
import { answer, api } from "../../../api/client";
import { keys } from "../../../api/keys";
import { Button } from "../../../components/Button";
import { IconButton } from "../../../components/IconButton";
import { Input } from "../../../components/Input";
import { SchemaForm } from "../../../components/schema-form/SchemaForm";
import { isObject, type JsonSchema } from "../../../components/schema-form/shape";
import { streamSchema } from "./task-schema";
import { streamEntries, streamsValue, type StreamEntry } from "./streams-value";

interface StreamsFieldProps {
  schema: JsonSchema;
  /** The connection that is read. */
  from: string;
  value: unknown;
  onChange: (value: unknown) => void;
}

/** The streams of a sync, each with its options; names come from the source where it can be asked. */
export function StreamsField({ schema, from, value, onChange }: StreamsFieldProps) {
  const options = useMemo(() => streamSchema(schema), [schema]);
  const [wanted, setWanted] = useState("");
  const list = useId();
  const entries = streamEntries(value);
  const { data } = useQuery({
    queryKey: keys.connections.part(from, "stream-names", wanted),
    queryFn: ({ signal }) =>
      answer(
        api.GET("/api/v1/connections/{connection}/streams", {
          params: { path: { connection: from }, query: { limit: 100, ...(wanted && { search: wanted }) } },
          signal,
        }),
      ),
    enabled: from !== "",
    retry: false,
    staleTime: 60_000,
  });
  const free =
    data?.items.map((item) => item.stream).filter((name) => entries.every((one) => one.name !== name)) ?? [];
  const set = (next: StreamEntry[]) => onChange(streamsValue(next, value));
  const isTaken = entries.some((one) => one.name === wanted.trim());
  const add = () => {
    if (!wanted.trim() || isTaken) return;
    set([...entries, { name: wanted.trim(), options: {} }]);
    setWanted("");
  };

  return (
    <fieldset>
      <legend className="mb-1 font-medium">Streams</legend>
      {entries.length === 0 && <p className="mb-2 text-xs text-fail">A sync needs at least one stream.</p>}
      <ul className="flex flex-col">
        {entries.map((entry, index) => (
          <li key={entry.name} className="border-b first:border-t">
            <Collapsible.Root>
              <div className="flex items-center gap-1">
                <Collapsible.Trigger className="group flex min-w-0 grow items-center gap-1 py-1.5 text-left">
                  <ChevronRight
                    className="size-3.5 shrink-0 text-ink-3 transition-transform group-data-[state=open]:rotate-90"
                    aria-hidden
                  />
                  <span className="truncate">{entry.name}</span>
                  <span className="ml-auto truncate pl-2 text-xs text-ink-2">{told(entry)}</span>
                </Collapsible.Trigger>
                <IconButton
                  icon={Trash2}
                  label={`Remove ${entry.name}`}
                  size="small"
                  onClick={() => set(entries.filter((_, at) => at !== index))}
                />
              </div>
              <Collapsible.Content className="pt-1 pb-4 pl-4">
                <SchemaForm
                  schema={options}
                  value={entry.options}
                  onChange={(next) =>
                    set(entries.map((one, at) => (at === index ? { ...one, options: next } : one)))
                  }
                />
              </Collapsible.Content>
            </Collapsible.Root>
          </li>
        ))}
      </ul>
      <div className="mt-2 flex gap-2">
        <Input
          list={list}
          value={wanted}
          aria-label="Stream to add"
          placeholder="Name or wildcard"
          spellCheck={false}
          onChange={(event) => setWanted(event.target.value)}
          onKeyDown={(event) => {
            if (event.key !== "Enter") return;
            event.preventDefault();
            add();
          }}
        />
        <datalist id={list}>
          {free.map((name) => (
            <option key={name} value={name} />
          ))}
        </datalist>
        <Button
          icon={Plus}
          disabled={!wanted.trim()}
          reason={isTaken ? "This stream is there already." : undefined}
          onClick={add}
        >
          Add
        </Button>
      </div>
    </fieldset>
  );
}

function told({ options }: StreamEntry): string {
  const parts = ["read", "write", "cursor"].flatMap((key) =>
    typeof options[key] === "string" ? [String(options[key])] : [],
  );
  if (isObject(options["columns"])) parts.push("columns");
  return parts.join(", ");
}
