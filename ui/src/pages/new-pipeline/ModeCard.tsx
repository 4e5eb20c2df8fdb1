import { CircleAlert } from "lucide-react";
import { Field } from "../../components/Field";
import { Input } from "../../components/Input";
import { Select } from "../../components/Select";
import { plural } from "../../format/numbers";
import { isPattern } from "../../format/stream-tree";
import type { StreamDraft } from "./draft";
import { KeyPicker } from "./KeyPicker";
import { impossible, likelyCursor, MODE_ORDER, MODES, needsCursor, type Mode } from "./modes";
import { streamMistake } from "./stream-mistakes";
import { targetOf, templateMistake } from "./targets";
import { factsOf, type Known } from "./use-streams";

interface ModeCardProps {
  stream: StreamDraft;
  /** How targets are named where the stream does not say. */
  template: string;
  known: Known;
  onMode: (mode: Mode) => void;
  onChange: (change: Partial<StreamDraft>) => void;
}

/** How one stream is loaded: mode, cursor, key and name of the target. */
export function ModeCard({ stream, template, known, onMode, onChange }: ModeCardProps) {
  const facts = factsOf(stream, known);
  const found = known.found.get(stream.name) ?? [];
  const [first] = found;
  const mistake = streamMistake(stream, facts, known);
  const cursor = likelyCursor(facts);
  const type = (name: string) => facts.columns.find((column) => column.name === name)?.type ?? "";
  const target = first ? targetOf(stream.rename || template, first, known) : "";

  return (
    <li className="rounded-lg border bg-raised p-3 [contain-intrinsic-size:auto_120px] [content-visibility:auto]">
      <div className="mb-2 flex flex-wrap items-baseline gap-x-3">
        <h3 className="min-w-0 font-semibold wrap-anywhere">{stream.name}</h3>
        <span className="text-xs text-ink-3">
          {isPattern(stream.name)
            ? `now ${plural(found.length, "stream")}`
            : plural(facts.columns.length, "column")}
          {target && `, into ${target}${found.length > 1 ? " and others" : ""}`}
        </span>
      </div>
      <div className="grid gap-x-4 gap-y-3 sm:grid-cols-2 lg:grid-cols-4">
        <Field label="Mode">
          <Select
            value={stream.mode}
            onValueChange={(mode) => onMode(mode as Mode)}
            options={MODE_ORDER.map((mode) => {
              const reason = impossible(mode, facts);
              const { title } = MODES[mode];
              return {
                value: mode,
                label: reason ? `${title}: ${reason}` : title,
                disabled: reason !== undefined,
              };
            })}
          />
        </Field>
        <Field label="What is new is told by">
          {needsCursor(stream.mode, facts) ? (
            <Select
              value={stream.cursor ?? ""}
              placeholder="Choose a column"
              onValueChange={(next) => onChange({ cursor: next })}
              options={[...facts.cursors]
                .sort((a, b) => Number(b === cursor) - Number(a === cursor))
                .map((name) => ({ value: name, label: `${name} (${type(name)})` }))}
            />
          ) : (
            <Input
              readOnly
              tabIndex={-1}
              className="border-line bg-sunken text-ink-3"
              value={
                MODES[stream.mode].read === "full" ? "Not needed: all rows are read" : "The source itself"
              }
            />
          )}
        </Field>
        <KeyPicker
          own={first?.key ?? []}
          value={stream.key}
          columns={facts.columns.map((column) => column.name)}
          isNeeded={MODES[stream.mode].write === "merge"}
          onChange={(key) => onChange({ key })}
        />
        <Field
          label="Name of the target"
          error={stream.rename ? templateMistake(stream.rename, known) : undefined}
        >
          <Input
            value={stream.rename ?? ""}
            placeholder={template || "{table}"}
            spellCheck={false}
            autoComplete="off"
            onChange={(event) => onChange({ rename: event.target.value })}
          />
        </Field>
      </div>
      <p className="mt-2 text-xs text-ink-2">{MODES[stream.mode].says}</p>
      {mistake && (
        <p className="mt-1 flex items-center gap-1.5 text-xs text-fail" role="alert">
          <CircleAlert className="size-3.5 shrink-0" aria-hidden />
          {mistake}
        </p>
      )}
    </li>
  );
}
