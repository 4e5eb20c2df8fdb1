import { useEffect, useEffectEvent, useState } from "react";
import { Button } from "../../components/Button";
import { SearchInput } from "../../components/SearchInput";
import { Select } from "../../components/Select";
import { Skeleton } from "../../components/Skeleton";
import { plural } from "../../format/numbers";
import { changed, type StreamDraft } from "./draft";
import { defaultMode, impossible, likelyCursor, MODE_ORDER, MODES, needsCursor, type Mode } from "./modes";
import { ModeCard } from "./ModeCard";
import { StepFooter } from "./StepFooter";
import type { StepProps } from "./step-props";
import { streamMistake } from "./stream-mistakes";
import { factsOf, useKnown } from "./use-streams";

/** Cards at once; more of them come on a click. */
const SHOWN = 100;

/** How each stream is loaded: only what is possible can be chosen, and what is not says why. */
export function ModesStep({ draft, onChange }: StepProps) {
  const known = useKnown(draft);
  const [search, setSearch] = useState("");
  const [limit, setLimit] = useState(SHOWN);
  const words = search.trim().toLowerCase();
  const matching = draft.streams.filter((stream) => stream.name.toLowerCase().includes(words));
  const wrong = draft.streams.find((stream) => streamMistake(stream, factsOf(stream, known), known));

  const begin = useEffectEvent(() => {
    // streams come without a mode of their own; the first look at this step gives each the one that suits it
    onChange((before) =>
      before.streams.some((stream) => stream.isFresh)
        ? changed(before, {
            streams: before.streams.map((stream) => (stream.isFresh ? suited(stream) : stream)),
          })
        : before,
    );
  });
  const suited = (stream: StreamDraft): StreamDraft => {
    const { isFresh: _fresh, ...rest } = stream;
    return withMode(rest, defaultMode(factsOf(stream, known)));
  };
  const withMode = (stream: StreamDraft, mode: Mode): StreamDraft => {
    const facts = factsOf(stream, known);
    const { cursor: before, ...rest } = stream;
    if (!needsCursor(mode, facts)) return { ...rest, mode };
    const cursor = before && facts.cursors.includes(before) ? before : likelyCursor(facts);
    return { ...rest, mode, ...(cursor && { cursor }) };
  };
  useEffect(() => {
    if (!known.isLoading) begin();
  }, [known.isLoading]);

  const setAll = (mode: Mode) =>
    onChange((before) =>
      changed(before, {
        streams: before.streams.map((stream) =>
          impossible(mode, factsOf(stream, known)) ? stream : withMode(stream, mode),
        ),
      }),
    );
  const change = (name: string, next: (stream: StreamDraft) => StreamDraft) =>
    onChange((before) =>
      changed(before, {
        streams: before.streams.map((stream) => (stream.name === name ? next(stream) : stream)),
      }),
    );

  return (
    <>
      <div className="min-h-0 grow overflow-y-auto p-4 sm:p-6">
        <div className="mb-4 flex flex-wrap items-center gap-2">
          <h2 className="grow text-lg font-semibold">How is each stream loaded?</h2>
          {draft.streams.length > 8 && (
            <SearchInput
              label="Search the streams"
              value={search}
              onValueChange={setSearch}
              className="w-full sm:w-56"
            />
          )}
          {draft.streams.length > 1 && (
            <Select
              aria-label="Set all that can"
              className="w-full sm:w-56"
              value=""
              placeholder="Set all that can"
              onValueChange={(mode) => setAll(mode as Mode)}
              options={MODE_ORDER.map((mode) => ({ value: mode, label: MODES[mode].title }))}
            />
          )}
        </div>
        {known.isLoading ? (
          <div className="flex flex-col gap-3" aria-busy>
            {draft.streams.slice(0, 8).map((stream) => (
              <Skeleton key={stream.name} className="h-[104px] w-full rounded-lg" />
            ))}
          </div>
        ) : (
          <ul className="flex flex-col gap-3">
            {matching.slice(0, limit).map((stream) => (
              <ModeCard
                key={stream.name}
                stream={stream}
                template={draft.target}
                known={known}
                onMode={(mode) => change(stream.name, (before) => withMode(before, mode))}
                onChange={(part) => change(stream.name, (before) => ({ ...before, ...part }))}
              />
            ))}
          </ul>
        )}
        {matching.length > limit && (
          <Button className="mt-4" onClick={() => setLimit(limit + SHOWN)}>
            Show more of {plural(matching.length, "stream")}
          </Button>
        )}
      </div>
      <StepFooter
        step="modes"
        reason={known.isLoading ? "Looking at the streams." : wrong && `${wrong.name} still lacks something.`}
      />
    </>
  );
}
