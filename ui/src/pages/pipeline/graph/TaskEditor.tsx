import { ChevronRight, Trash2, X } from "lucide-react";
import { Collapsible } from "radix-ui";
import { useEffect, useMemo, useState, type ReactNode } from "react";
import { Button } from "../../../components/Button";
import { Callout } from "../../../components/Callout";
import { Field } from "../../../components/Field";
import { IconButton } from "../../../components/IconButton";
import { SchemaForm } from "../../../components/schema-form/SchemaForm";
import { isObject } from "../../../components/schema-form/shape";
import { Select } from "../../../components/Select";
import { Skeleton } from "../../../components/Skeleton";
import type { GraphTask } from "../../../components/task-graph/model";
import { kindIcon, kindName, KIND_WORDS } from "../../../components/task-graph/kinds";
import { KINDS, type Kind, type TaskEntry } from "../../../format/pipeline-outline";
import { withTask } from "../../../format/pipeline-yaml";
import type { Draft } from "../use-draft";
import { blankTask } from "./new-task";
import { RenameField } from "./RenameField";
import { StreamsField } from "./StreamsField";
import { itemsSchema, optionsSchema, withPresent, workSchema } from "./task-schema";
import { useChoices, usePipelineSchema } from "./use-choices";
import { WaitsFor } from "./WaitsFor";

interface TaskEditorProps {
  entry: TaskEntry;
  tasks: GraphTask[];
  draft: Draft;
  /** Connections of the document's own. */
  connections: string[];
  onRenamed: (name: string) => void;
  onRemove: () => void;
  onClose: () => void;
}

type Values = Record<string, unknown>;

/** What a sync has besides its two ends. */
const SYNC_DETAILS = ["streams", "defaults", "parallel", "memory"];

const WHEN = [
  { value: "all_succeeded", label: "All of them succeeded" },
  { value: "all_done", label: "All of them ended, in whatever way" },
  { value: "any_failed", label: "At least one of them failed" },
];

/** A form for a task. Every change goes into the document at once; nothing counts before it is saved. */
export function TaskEditor({
  entry,
  tasks,
  draft,
  connections,
  onRenamed,
  onRemove,
  onClose,
}: TaskEditorProps) {
  const schema = usePipelineSchema();
  const known = useChoices(connections);
  const [value, setValue] = useState<Values>(() => plain(entry));
  const [told, setTold] = useState(draft.text);
  const kind = entry.kind;
  const work = kind && isObject(value[kind]) ? value[kind] : {};
  const choices = useMemo(
    () => ({
      ...known,
      connections: withPresent(known.connections, work["from"], work["to"]),
      channels: withPresent(known.channels, work["channel"]),
      pipelines: withPresent(known.pipelines, kind === "pipeline" ? work["name"] : undefined),
      pools: withPresent(known.pools, value["pool"]),
    }),
    [known, kind, work["from"], work["to"], work["channel"], work["name"], value["pool"]],
  );
  const forms = useMemo(
    () =>
      schema && {
        work: kind && workSchema(schema, kind, choices),
        items: itemsSchema(schema, choices),
        options: optionsSchema(schema, choices),
      },
    [schema, kind, choices],
  );
  // an edge that was pulled, or a step that was taken back, shows here too
  useEffect(() => {
    if (draft.text === told) return;
    setTold(draft.text);
    setValue(plain(entry));
  }, [draft.text, told, entry]);

  const change = (next: Values) => {
    setValue(next);
    const text = withTask(draft.text, entry.name, short(next, entry));
    setTold(text);
    draft.change(text);
  };
  const set = (key: string, inner: unknown) => change(without({ ...value, [key]: inner }));
  const changeKind = (next: Kind) => {
    const { [kind ?? ""]: _before, ...rest } = value;
    change({ ...plain({ ...entry, kind: next, value: blankTask(next) }), ...rest });
  };
  const Icon = kindIcon(kind);
  const after = Array.isArray(value["after"]) ? value["after"].map(String) : [];

  return (
    <div className="flex flex-col gap-5 p-4">
      <header className="flex items-center gap-2">
        <Icon className="size-4 shrink-0 text-ink-2" aria-hidden />
        <h2 className="min-w-0 grow text-base font-semibold wrap-anywhere">{entry.name}</h2>
        <IconButton icon={Trash2} label={`Remove ${entry.name}`} size="small" onClick={onRemove} />
        <IconButton icon={X} label="Close" size="small" onClick={onClose} />
      </header>
      {!entry.hook && (
        <RenameField
          entry={entry}
          names={tasks.map((task) => task.name)}
          draft={draft}
          onRenamed={onRenamed}
        />
      )}
      <Field label="What it does" hint={kind ? KIND_WORDS[kind] : "Choose what the task is for."}>
        <Select
          value={kind ?? ""}
          onValueChange={(next) => changeKind(next as Kind)}
          options={KINDS.map((one) => ({ value: one, label: kindName(one) }))}
        />
      </Field>
      {!forms ? (
        <Skeleton className="h-40 w-full" />
      ) : (
        <>
          {kind && kind !== "sync" && forms.work && (
            <SchemaForm key={kind} schema={forms.work} value={work} onChange={(next) => set(kind, next)} />
          )}
          {kind === "sync" && forms.work && schema && (
            <>
              <SchemaForm
                schema={forms.work}
                value={work}
                without={SYNC_DETAILS}
                onChange={(next) => set("sync", next)}
              />
              <StreamsField
                schema={schema}
                from={typeof work["from"] === "string" ? work["from"] : ""}
                value={work["streams"]}
                onChange={(streams) => set("sync", { ...work, streams })}
              />
              <Fold title="Options of all streams, memory" isOpen={false}>
                <SchemaForm
                  schema={forms.work}
                  value={work}
                  without={["from", "to", "streams"]}
                  onChange={(next) => set("sync", next)}
                />
              </Fold>
            </>
          )}
          {kind === "notify" && known.channels.length === 0 && (
            <Callout tone="warn">The project has no channels yet: add some in levada.yaml.</Callout>
          )}
          {!entry.hook && (
            <WaitsFor tasks={tasks} task={entry.name} after={after} onChange={(next) => set("after", next)} />
          )}
          {after.length > 0 && (
            <Field label="Goes if">
              <Select
                value={typeof value["when"] === "string" ? value["when"] : "all_succeeded"}
                onValueChange={(next) => set("when", next === "all_succeeded" ? undefined : next)}
                options={WHEN}
              />
            </Field>
          )}
          <Fold title="Run for each of several items" isOpen={value["for_each"] !== undefined}>
            <SchemaForm
              schema={forms.items}
              value={isObject(value["for_each"]) ? value["for_each"] : {}}
              onChange={(next) => set("for_each", Object.keys(next).length > 0 ? next : undefined)}
            />
          </Fold>
          <Fold title="Retry, time-out, pool and worker" isOpen={false}>
            <SchemaForm schema={forms.options} value={value} onChange={(next) => change(without(next))} />
          </Fold>
        </>
      )}
      <Button icon={Trash2} className="self-start" onClick={onRemove}>
        Remove the task
      </Button>
    </div>
  );
}

function Fold({ title, isOpen, children }: { title: string; isOpen: boolean; children: ReactNode }) {
  return (
    <Collapsible.Root defaultOpen={isOpen}>
      <Collapsible.Trigger className="group flex items-center gap-1 font-medium text-ink-2 hover:text-ink">
        <ChevronRight
          className="size-3.5 transition-transform group-data-[state=open]:rotate-90"
          aria-hidden
        />
        {title}
      </Collapsible.Trigger>
      <Collapsible.Content className="mt-3">{children}</Collapsible.Content>
    </Collapsible.Root>
  );
}

/** A task with its work written out: `notify: ops` as a channel. */
function plain({ kind, value }: TaskEntry): Values {
  if (kind === "notify" && typeof value["notify"] === "string")
    return { ...value, notify: { channel: value["notify"] } };
  if (kind === "pipeline" && typeof value["pipeline"] === "string")
    return { ...value, pipeline: { name: value["pipeline"] } };
  return value;
}

/** The other way round, where that is how it was written. */
function short(value: Values, entry: TaskEntry): Values {
  const next = { ...value };
  for (const [kind, key] of [
    ["notify", "channel"],
    ["pipeline", "name"],
  ] as const) {
    const work = next[kind];
    const wasShort = entry.kind !== kind || typeof entry.value[kind] === "string";
    if (isObject(work) && wasShort && Object.keys(work).every((one) => one === key))
      next[kind] = work[key] ?? "";
  }
  return next;
}

function without(value: Values): Values {
  const kept = Object.entries(value).filter(
    ([, inner]) => inner !== undefined && !(Array.isArray(inner) && inner.length === 0),
  );
  return Object.fromEntries(kept);
}
