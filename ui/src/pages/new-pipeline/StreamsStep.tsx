import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { streamsOptions } from "../../api/queries/connection-contents";
import { Button } from "../../components/Button";
import { FilterChip } from "../../components/FilterChip";
import { StreamBrowser } from "../../components/streams/StreamBrowser";
import { isPattern, searchStreams } from "../../format/stream-tree";
import { changed, missing, newStream } from "./draft";
import { PatternForm } from "./PatternForm";
import { StepFooter } from "./StepFooter";
import type { StepProps } from "./step-props";

/** Which streams are loaded: one by one, all that a search shows, or by a pattern. */
export function StreamsStep({ draft, onChange }: StepProps) {
  const source = draft.source ?? "";
  const [search, setSearch] = useState("");
  const [active, setActive] = useState<string>();
  const [isPatternOpen, setPatternOpen] = useState(false);
  const { data } = useQuery(streamsOptions(source));
  const chosen = useMemo(() => new Set(draft.streams.map((stream) => stream.name)), [draft.streams]);
  const shown = useMemo(
    () => searchStreams(data?.streams ?? [], search).map((row) => row.stream.stream),
    [data, search],
  );
  const patterns = draft.streams.filter((stream) => isPattern(stream.name));

  const choose = (names: string[], isChosen: boolean) =>
    onChange((before) => {
      const named = new Set(names);
      const kept = before.streams.filter((stream) => !named.has(stream.name));
      const known = new Set(before.streams.map((stream) => stream.name));
      const added = names.filter((name) => !known.has(name)).map((name) => newStream(name));
      return changed(before, { streams: isChosen ? [...before.streams, ...added] : kept });
    });

  return (
    <>
      <StreamBrowser
        connection={source}
        search={search}
        onSearch={setSearch}
        active={active}
        onActivate={setActive}
        chosen={chosen}
        onChoose={choose}
      >
        <div className="flex flex-wrap items-center gap-2 border-b px-3 py-2">
          <Button size="small" onClick={() => choose(shown, true)} disabled={shown.length === 0}>
            {search ? `Select these ${shown.length}` : "Select all"}
          </Button>
          <Button
            size="small"
            look="ghost"
            disabled={draft.streams.length === 0}
            onClick={() => onChange((before) => changed(before, { streams: [] }))}
          >
            Clear
          </Button>
          <Button
            size="small"
            look="ghost"
            aria-expanded={isPatternOpen}
            onClick={() => setPatternOpen(!isPatternOpen)}
          >
            By pattern
          </Button>
          <span className="grow text-right text-xs text-ink-2" role="status">
            {draft.streams.length} chosen
          </span>
          {patterns.map((stream) => (
            <FilterChip
              key={stream.name}
              name="Pattern"
              value={stream.name}
              onRemove={() => choose([stream.name], false)}
            />
          ))}
        </div>
        {isPatternOpen && (
          <PatternForm
            connection={source}
            chosen={chosen}
            onAdd={(pattern) => {
              choose([pattern], true);
              setPatternOpen(false);
            }}
          />
        )}
      </StreamBrowser>
      <StepFooter step="streams" reason={missing(draft, "streams")} />
    </>
  );
}
