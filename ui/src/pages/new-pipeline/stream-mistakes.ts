import type { StreamDraft } from "./draft";
import { impossible, needsCursor, type Facts } from "./modes";
import { templateMistake } from "./targets";
import type { Known } from "./use-streams";

/** What keeps a stream from being loaded as it is set up. */
export function streamMistake(
  stream: StreamDraft,
  facts: Facts,
  ends: Pick<Known, "source" | "destination">,
): string | undefined {
  const reason = impossible(stream.mode, facts);
  if (reason) return `This cannot be: ${reason}.`;
  if (needsCursor(stream.mode, facts) && !stream.cursor) return "Choose the column that tells what is new.";
  return stream.rename ? templateMistake(stream.rename, ends) : undefined;
}
