import { useState } from "react";
import { Checkbox } from "../../components/Checkbox";
import { classes } from "../../components/classes";
import { EmptyState } from "../../components/EmptyState";
import { SearchInput } from "../../components/SearchInput";
import { Select } from "../../components/Select";
import { Skeleton } from "../../components/Skeleton";
import { count, plural } from "../../format/numbers";
import { ColumnRow } from "./ColumnRow";
import { columnMistakes, type ColumnChange } from "./columns";
import { withStream } from "./draft";
import { StepFooter } from "./StepFooter";
import type { StepProps } from "./step-props";
import { columnsOf, factsOf, useKnown } from "./use-streams";

/** Which columns are loaded, under which names and types, and which only as a hash. */
export function ColumnsStep({ draft, onChange }: StepProps) {
  const known = useKnown(draft);
  const [name, setName] = useState(draft.streams[0]?.name ?? "");
  const [search, setSearch] = useState("");
  const stream = draft.streams.find((one) => one.name === name) ?? draft.streams[0];
  const wrong = draft.streams.find((one) => Object.keys(columnMistakes(one, factsOf(one, known))).length > 0);
  if (!stream) return null;
  const facts = factsOf(stream, known);
  const columns = columnsOf(known.found.get(stream.name));
  const shown = columns.filter((column) => column.name.toLowerCase().includes(search.trim().toLowerCase()));
  const mistakes = columnMistakes(stream, facts);
  const change = (part: ColumnChange) => onChange((before) => withStream(before, stream.name, part));

  return (
    <>
      <div className="flex min-h-0 grow max-md:flex-col">
        <div className="border-b p-3 md:hidden">
          <Select
            aria-label="Stream"
            value={stream.name}
            onValueChange={setName}
            options={draft.streams.map((one) => ({ value: one.name, label: one.name }))}
          />
        </div>
        <nav aria-label="Streams" className="hidden w-64 shrink-0 overflow-y-auto border-r md:block">
          {draft.streams.map((one) => (
            <button
              key={one.name}
              type="button"
              aria-current={one.name === stream.name || undefined}
              onClick={() => setName(one.name)}
              className={classes(
                "flex h-9 w-full items-center gap-2 border-b px-4 text-left -outline-offset-2 [contain-intrinsic-size:auto_36px] [content-visibility:auto]",
                one.name === stream.name ? "bg-accent-soft font-medium" : "hover:bg-hover",
              )}
            >
              <span className="min-w-0 grow truncate">{one.name}</span>
              <Changes count={changesOf(one)} />
            </button>
          ))}
        </nav>
        <div className="flex min-h-0 min-w-0 grow flex-col">
          <div className="flex flex-wrap items-center gap-x-4 gap-y-2 border-b px-4 py-2">
            <h2 className="min-w-0 grow font-semibold wrap-anywhere">
              {stream.name}
              <span className="ml-2 text-xs font-normal text-ink-3">
                {count(columns.length - stream.exclude.length)} of {plural(columns.length, "column")}
              </span>
            </h2>
            <Checkbox
              checked={stream.quarantine ?? false}
              onCheckedChange={(quarantine) => change({ quarantine })}
            >
              Quarantine rows that do not fit
            </Checkbox>
            {columns.length > 12 && (
              <SearchInput
                label="Search columns"
                value={search}
                onValueChange={setSearch}
                className="w-full sm:w-48"
              />
            )}
          </div>
          {known.isLoading ? (
            <div className="flex flex-col gap-4 p-4" aria-busy>
              {Array.from({ length: 8 }, (_, row) => (
                <Skeleton key={row} className="h-5 w-full" />
              ))}
            </div>
          ) : columns.length === 0 ? (
            <EmptyState title="No columns are known">
              The stream is not there now, or those of the pattern have none in common.
            </EmptyState>
          ) : (
            <ul className="min-h-0 grow overflow-y-auto" aria-label={`Columns of ${stream.name}`}>
              <li
                aria-hidden
                className="sticky top-0 z-10 hidden h-8 items-center gap-3 border-b bg-canvas px-4 text-xs font-medium text-ink-2 lg:grid lg:grid-cols-[minmax(160px,1.2fr)_110px_minmax(140px,1fr)_minmax(140px,1fr)_90px]"
              >
                <span>Column</span>
                <span>Type</span>
                <span>New name</span>
                <span>Cast to</span>
                <span>Hash</span>
              </li>
              {shown.map((column) => (
                <ColumnRow
                  key={`${stream.name} ${column.name}`}
                  column={column}
                  stream={stream}
                  facts={facts}
                  mistake={mistakes[column.name]}
                  onChange={change}
                />
              ))}
            </ul>
          )}
        </div>
      </div>
      <StepFooter step="columns" reason={wrong && `A column of ${wrong.name} cannot be as it is.`} />
    </>
  );
}

function Changes({ count: changes }: { count: number }) {
  if (changes === 0) return null;
  return (
    <span
      className="rounded-full bg-accent-soft px-1.5 text-2xs text-accent"
      title={`${plural(changes, "change")} to its columns`}
    >
      {changes}
    </span>
  );
}

function changesOf({
  exclude,
  renames,
  casts,
  hash,
}: {
  exclude: string[];
  renames: object;
  casts: object;
  hash: string[];
}): number {
  return exclude.length + Object.keys(renames).length + Object.keys(casts).length + hash.length;
}
