import { KeyRound } from "lucide-react";
import type { ReactElement } from "react";
import { Checkbox } from "../../components/Checkbox";
import { Input } from "../../components/Input";
import { Tooltip } from "../../components/Tooltip";
import type { StreamFound } from "../../api/model";
import { classes } from "../../components/classes";
import { neededFor, TYPES, unhashable, withColumn, withEntry, withHash, type ColumnChange } from "./columns";
import type { StreamDraft } from "./draft";
import type { Facts } from "./modes";

interface ColumnRowProps {
  column: StreamFound["columns"][number];
  stream: StreamDraft;
  facts: Facts;
  mistake: string | undefined;
  onChange: (change: ColumnChange) => void;
}

/** What becomes of one column. */
export function ColumnRow({ column, stream, facts, mistake, onChange }: ColumnRowProps) {
  const { name, type } = column;
  const isLoaded = !stream.exclude.includes(name);
  const isHashed = stream.hash.includes(name);
  const needed = isLoaded ? neededFor(name, stream, facts) : undefined;
  const noHash = isHashed ? undefined : unhashable(name, stream);
  const list = `types-${name}`;
  return (
    <li className="grid grid-cols-2 items-center gap-x-3 gap-y-2 border-b px-4 py-2 lg:min-h-11 lg:grid-cols-[minmax(160px,1.2fr)_110px_minmax(140px,1fr)_minmax(140px,1fr)_90px] lg:py-1">
      <Explained text={needed}>
        <span className="flex min-w-0 items-center gap-1.5">
          <Checkbox
            checked={isLoaded}
            disabled={needed !== undefined}
            onCheckedChange={(isOn) => onChange(withColumn(stream, name, isOn))}
          >
            <span className={classes("block truncate", !isLoaded && "text-ink-3 line-through")}>{name}</span>
          </Checkbox>
          {facts.key.includes(name) && (
            <KeyRound className="size-3 shrink-0 text-ink-3" aria-label="part of the key" />
          )}
        </span>
      </Explained>
      <span
        className="truncate text-right font-mono text-xs text-ink-2 lg:text-left"
        title={column.native ?? undefined}
      >
        {type}
      </span>
      <Input
        aria-label={`New name of ${name}`}
        value={stream.renames[name] ?? ""}
        placeholder={name}
        disabled={!isLoaded}
        spellCheck={false}
        autoComplete="off"
        onChange={(event) => onChange({ renames: withEntry(stream.renames, name, event.target.value) })}
      />
      <span>
        <Input
          aria-label={`Type of ${name}`}
          value={stream.casts[name] ?? ""}
          placeholder={isHashed ? "text (hash)" : type}
          disabled={!isLoaded || isHashed}
          spellCheck={false}
          autoComplete="off"
          list={list}
          className="font-mono text-xs"
          onChange={(event) => onChange({ casts: withEntry(stream.casts, name, event.target.value) })}
        />
        <datalist id={list}>
          {TYPES.map((one) => (
            <option key={one} value={one} />
          ))}
        </datalist>
      </span>
      <Explained text={noHash ?? "Replaced by the SHA-256 of its text"}>
        <span className="justify-self-start">
          <Checkbox
            checked={isHashed}
            disabled={noHash !== undefined}
            onCheckedChange={(isOn) => onChange(withHash(stream, name, isOn))}
          >
            Hash
          </Checkbox>
        </span>
      </Explained>
      {mistake && (
        <p role="alert" className="col-span-full pb-1 text-xs text-fail">
          {mistake}
        </p>
      )}
    </li>
  );
}

function Explained({ text, children }: { text: string | undefined; children: ReactElement }) {
  return text ? <Tooltip text={text}>{children}</Tooltip> : children;
}
