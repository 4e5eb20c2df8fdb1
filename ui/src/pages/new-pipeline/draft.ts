import type { Mode } from "./modes";
import { MANUAL, type ScheduleDraft } from "./schedule";

/** A stream, or a pattern of streams, with what is done with it. */
export interface StreamDraft {
  name: string;
  mode: Mode;
  /** Nobody has looked at its mode yet. */
  isFresh?: boolean;
  cursor?: string;
  /** The columns that name a row, where they are not those of the source. */
  key?: string[];
  /** The name of the target. */
  rename?: string;
  quarantine?: boolean;
  exclude: string[];
  renames: Record<string, string>;
  casts: Record<string, string>;
  hash: string[];
  /** Options that the guide does not ask for, kept as a document has them. */
  rest?: Record<string, unknown>;
}

/** A pipeline on its way through the guide. */
export interface Draft {
  name: string;
  description: string;
  owner: string;
  tags: string[];
  source: string | null;
  destination: string | null;
  /** How targets are named; empty for the names of the streams. */
  target: string;
  streams: StreamDraft[];
  schedule: ScheduleDraft;
  /** What else a document says that the guide does not ask for. */
  rest: Record<string, unknown>;
  syncRest: Record<string, unknown>;
  /** The document as somebody wrote it; null while the guide writes it. */
  text: string | null;
  /** Why the guide cannot show the written document; null where it can. */
  foreign: string | null;
}

export const STEPS = ["source", "streams", "destination", "modes", "columns", "schedule", "review"] as const;
export type Step = (typeof STEPS)[number];

export const STEP_TITLES: Record<Step, string> = {
  source: "Source",
  streams: "Streams",
  destination: "Destination",
  modes: "How to load",
  columns: "Columns",
  schedule: "Schedule",
  review: "Review",
};

export function emptyDraft(): Draft {
  return {
    name: "",
    description: "",
    owner: "",
    tags: [],
    source: null,
    destination: null,
    target: "",
    streams: [],
    schedule: MANUAL,
    rest: {},
    syncRest: {},
    text: null,
    foreign: null,
  };
}

/** A stream as it is when it is chosen. */
export function newStream(name: string, mode: Mode = "replace"): StreamDraft {
  return { name, mode, isFresh: true, exclude: [], renames: {}, casts: {}, hash: [] };
}

/** Why a step cannot be left for the next one yet. */
export function missing(draft: Draft, step: Step): string | undefined {
  if (draft.foreign) return undefined;
  if (step === "source" && !draft.source) return "Choose where the data comes from.";
  if (step === "streams" && draft.streams.length === 0) return "Choose at least one stream.";
  if (step === "destination" && !draft.destination) return "Choose where the data goes.";
  return undefined;
}

/** The step to show for the one that the URL names: the first that lacks something comes before it. */
export function reachable(draft: Draft, wanted: string | undefined): Step {
  const asked = STEPS.find((step) => step === wanted) ?? "source";
  if (draft.foreign) return "review";
  return STEPS.slice(0, STEPS.indexOf(asked)).find((step) => missing(draft, step)) ?? asked;
}

/** A change made in the guide: from then on it writes the document again. */
export function changed(draft: Draft, change: Partial<Draft>): Draft {
  return { ...draft, ...change, text: null, foreign: null };
}

/** A change to one of the streams. */
export function withStream(draft: Draft, name: string, change: Partial<StreamDraft>): Draft {
  return changed(draft, {
    streams: draft.streams.map((stream) => (stream.name === name ? { ...stream, ...change } : stream)),
  });
}

/** A name for the pipeline, from what it does. */
export function suggestedName(draft: Draft): string {
  if (!draft.source || !draft.destination) return "";
  const [only] = draft.streams;
  // `public.orders` and `in/orders.csv` are about orders
  const table =
    draft.streams.length === 1 && only
      ? /(\w+)(?:\.(?:csv|tsv|json|jsonl|parquet|avro))?$/.exec(only.name)?.[1]
      : undefined;
  return `${table ?? draft.source}_to_${draft.destination}`.replaceAll(/[^\p{L}\p{N}_-]/gu, "_");
}
