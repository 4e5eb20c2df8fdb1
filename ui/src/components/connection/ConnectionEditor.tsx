import { useQuery } from "@tanstack/react-query";
import { PlugZap, Save } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import type { Versioned } from "../../api/client";
import { ApiError, messageOf } from "../../api/error";
import { mistakesByField } from "../../api/mistakes";
import type { Connection, Connector, Tested } from "../../api/model";
import {
  allConnectionsOptions,
  ConnectionConflict,
  useSaveConnection,
  useTestSettings,
  type SaveConnection,
} from "../../api/queries/connections";
import {
  bodyOf,
  draftOf,
  freeName,
  nameMistake,
  newDraft,
  type ConnectionDraft,
} from "../../format/connection-draft";
import { Button } from "../Button";
import { Callout } from "../Callout";
import { mistakesIn, shapeOf, type JsonSchema } from "../schema-form/shape";
import { ConflictDialog } from "./ConflictDialog";
import { ConnectionForm } from "./ConnectionForm";
import { TestSteps } from "./TestSteps";

interface ConnectionEditorProps {
  connector: Connector;
  /** The connection that is changed; none for a new one. */
  saved?: Versioned<Connection>;
  name?: string | undefined;
  onSaved: (name: string) => void;
  onCancel?: () => void;
}

/** Makes or changes a connection: form, test and save. What is not saved can be tried as well. */
export function ConnectionEditor({ connector, saved, name, onSaved, onCancel }: ConnectionEditorProps) {
  const { data: others } = useQuery({ ...allConnectionsOptions, enabled: !saved });
  const taken = useMemo(() => (saved ? [] : (others ?? []).map((one) => one.name)), [saved, others]);
  const [typed, setTyped] = useState<ConnectionDraft>();
  // what the typing started from; while nothing is typed, the newest version is shown
  const [started, setStarted] = useState<Versioned<Connection> | null>(null);
  const [isChecked, setChecked] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  const test = useTestSettings();
  const save = useSaveConnection();
  const base = (typed ? started : saved) ?? null;
  const draft =
    typed ??
    (base
      ? { ...draftOf(base.data), connector: connector.name }
      : newDraft(connector.name, name ?? freeName(connector.name, taken)));
  const conflict = save.error instanceof ConnectionConflict ? save.error.theirs : null;

  const mistakes = useMemo(
    () => mistakesOf(draft, connector, taken, !saved),
    [draft, connector, taken, saved],
  );
  const refused = fieldsOf(save.error ?? test.error, connector);
  const errors = { ...refused, ...(isChecked ? mistakes : {}) };
  const isChanged = typed !== undefined;
  const other = errors[""] ?? otherProblem(save.error ?? test.error, refused);

  const change = (next: ConnectionDraft) => {
    if (!typed) setStarted(saved ?? null);
    setTyped(next);
    if (save.error) save.reset();
    if (test.data || test.error) test.reset();
  };
  const isRight = () => {
    setChecked(true);
    const isFine = Object.keys(mistakes).length === 0;
    if (!isFine) requestAnimationFrame(() => toFirstMistake(form.current));
    return isFine;
  };
  const tryIt = () => {
    if (isRight()) test.mutate({ name: saved ? draft.name : null, body: bodyOf(draft) });
  };
  const store = (changes: Partial<SaveConnection> = {}) => {
    if (!isRight()) return;
    save.mutate(
      { name: draft.name, body: bodyOf(draft), base, ...changes },
      {
        onSuccess: () => {
          setTyped(undefined);
          onSaved(draft.name);
        },
      },
    );
  };

  useEffect(() => {
    // a refusal leads to the first field that has to be mended
    if (save.error || test.error) toFirstMistake(form.current);
  }, [save.error, test.error]);

  return (
    <form
      ref={form}
      className="grid gap-x-8 gap-y-6 lg:grid-cols-[minmax(0,36rem)_minmax(0,24rem)]"
      onSubmit={(event) => {
        event.preventDefault();
        store();
      }}
    >
      <div className="flex min-w-0 flex-col gap-5">
        <ConnectionForm
          draft={draft}
          onChange={change}
          connector={connector}
          errors={errors}
          isNew={!saved}
        />
        {other && <Callout tone="fail">{other}</Callout>}
      </div>
      <TestPanel isTesting={test.isPending} tested={test.data} onTest={tryIt} />
      <div className="flex flex-wrap gap-2 lg:col-start-1">
        <Button
          type="submit"
          look="primary"
          icon={Save}
          busy={save.isPending}
          reason={saved && !isChanged ? "Nothing has been changed." : undefined}
        >
          {saved ? "Save changes" : "Save connection"}
        </Button>
        {onCancel && (
          <Button look="ghost" onClick={onCancel}>
            Cancel
          </Button>
        )}
      </div>
      <ConflictDialog
        mine={draft}
        theirs={conflict?.data ?? null}
        onClose={() => save.reset()}
        onKeepMine={() => {
          setStarted(conflict);
          store({ base: conflict });
        }}
        onTakeTheirs={() => {
          setTyped(undefined);
          save.reset();
        }}
      />
    </form>
  );
}

interface TestPanelProps {
  isTesting: boolean;
  tested: Tested | undefined;
  onTest: () => void;
}

function TestPanel({ isTesting, tested, onTest }: TestPanelProps) {
  return (
    <aside
      aria-label="Test"
      className="min-w-0 self-start rounded-lg border lg:sticky lg:top-4 lg:col-start-2 lg:row-span-2 lg:row-start-1"
    >
      <div className="flex items-center gap-2 border-b py-1.5 pr-1.5 pl-3">
        <h2 className="grow font-semibold">
          {tested && !isTesting ? (tested.ok ? "It works" : "It does not work yet") : "Does it work?"}
        </h2>
        <Button icon={PlugZap} busy={isTesting} onClick={onTest}>
          Test
        </Button>
      </div>
      {tested || isTesting ? (
        <TestSteps tested={tested} isTesting={isTesting} />
      ) : (
        <p className="px-3 py-3 text-ink-2">
          A test tries every step to the other system and says how long each took. Nothing is saved for it.
        </p>
      )}
    </aside>
  );
}

function mistakesOf(
  draft: ConnectionDraft,
  connector: Connector,
  taken: string[],
  isNew: boolean,
): Record<string, string> {
  const name = isNew ? nameMistake(draft.name, taken) : undefined;
  const found: Record<string, string> = {};
  if (name) found["name"] = name;
  if (draft.form === "fields")
    return { ...found, ...mistakesIn(shapeOf(connector.settings as JsonSchema), draft.settings) };
  if (!draft.url.trim()) found["url"] = "A URL or a path is needed.";
  return found;
}

function toFirstMistake(form: HTMLFormElement | null): void {
  form?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
}

function fieldsOf(error: unknown, connector: Connector): Record<string, string> {
  const settings = connector.settings as JsonSchema;
  return mistakesByField(error, ["name", ...Object.keys(settings.properties ?? {})]);
}

/** What an error says that no field can show. */
function otherProblem(error: unknown, refused: Record<string, string>): string | undefined {
  if (!error || error instanceof ConnectionConflict || Object.keys(refused).length > 0) return undefined;
  if (error instanceof ApiError && error.kind === "unconditional")
    return "There is a connection of this name already.";
  return messageOf(error);
}
