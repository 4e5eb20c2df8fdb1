import { isRecord, outlineOf } from "../../../format/pipeline-outline";
import { withTask } from "../../../format/pipeline-yaml";
import { streamEntries, streamsValue, type StreamEntry } from "../graph/streams-value";

/** Whether a task's streams can be left out: those of a sync. */
export function canPause(text: string, task: string): boolean {
  return isRecord(outlineOf(text).tasks.find((one) => one.name === task)?.value["sync"]);
}

/**
 * A document in which loads leave a stream out, or take it again. A stream that only a wildcard names gets an entry of its own
 * with the options of the wildcard, so that it is loaded in the same way when it goes on.
 */
export function withPaused(text: string, task: string, stream: string, isPaused: boolean): string {
  const entry = outlineOf(text).tasks.find((one) => one.name === task);
  const sync = entry?.value["sync"];
  if (!entry || !isRecord(sync)) return text;
  const entries = streamEntries(sync["streams"]);
  const own = entries.find(({ name }) => name === stream);
  const next = own
    ? entries.map((one) => (one === own ? changed(one, isPaused) : one))
    : [...entries, changed({ name: stream, options: wildcardOf(entries, stream)?.options ?? {} }, isPaused)];
  return withTask(text, task, {
    ...entry.value,
    sync: { ...sync, streams: streamsValue(next, sync["streams"]) },
  });
}

function changed({ name, options }: StreamEntry, isPaused: boolean): StreamEntry {
  const { paused: _before, ...rest } = options;
  return { name, options: isPaused ? { ...rest, paused: true } : rest };
}

function wildcardOf(entries: StreamEntry[], stream: string): StreamEntry | undefined {
  return entries.find(({ name }) => name.includes("*") && pattern(name).test(stream));
}

function pattern(wildcard: string): RegExp {
  const parts = wildcard.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`);
}
