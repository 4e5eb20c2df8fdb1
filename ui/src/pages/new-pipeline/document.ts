import { Document, isScalar, parseDocument, visit } from "yaml";
import { emptyDraft, type Draft, type StreamDraft } from "./draft";
import { MODES, modeOf } from "./modes";
import { scheduleDocument, scheduleDraft } from "./schedule";

type Json = Record<string, unknown>;

/** Longer lists have a line for each item. */
const LINE_ITEMS_MAX = 6;

/** The document of a pipeline: as somebody wrote it, else as the guide has it. */
export function documentText(draft: Draft): string {
  return draft.text ?? yamlOf(documentOf(draft));
}

/** What the guide has, as a document. */
export function documentOf(draft: Draft): Json {
  const schedule = scheduleDocument(draft.schedule);
  const streams = draft.streams.map((stream) => [stream.name, streamOptions(stream)] as const);
  const areAllPlain = streams.every(([, options]) => Object.keys(options).length === 0);
  return {
    version: 1,
    ...(draft.name && { name: draft.name }),
    ...(draft.description && { description: draft.description }),
    ...(draft.owner && { owner: draft.owner }),
    ...(draft.tags.length > 0 && { tags: draft.tags }),
    ...(schedule !== undefined && { schedule }),
    ...draft.rest,
    sync: {
      from: draft.source ?? "",
      to: draft.destination ?? "",
      ...(draft.target && { defaults: { rename: draft.target } }),
      streams: areAllPlain ? streams.map(([name]) => name) : Object.fromEntries(streams),
      ...draft.syncRest,
    },
  };
}

/** A written document in the guide, as far as the guide knows what it says. */
export function draftOfText(text: string): Draft {
  const written = { ...emptyDraft(), text };
  const parsed = parseDocument(text);
  if (parsed.errors.length > 0) return { ...written, foreign: "This is not YAML yet." };
  const document: unknown = parsed.toJS();
  if (!isJson(document)) return { ...written, foreign: "The document says nothing yet." };
  const { version: _version, name, description, owner, tags, schedule, sync, ...rest } = document;
  const known = {
    ...written,
    name: word(name),
    description: word(description),
    owner: word(owner),
    tags: Array.isArray(tags) ? tags.map(String) : [],
    schedule: scheduleDraft(schedule),
    rest,
  };
  if ("tasks" in document)
    return {
      ...known,
      foreign: "It has several tasks, which are written here and drawn on the page of the pipeline.",
    };
  if (!isJson(sync)) return { ...known, foreign: "It has no sync yet." };
  const { from, to, defaults, streams, ...syncRest } = sync;
  const { rename, ...otherDefaults } = isJson(defaults) ? defaults : {};
  if (Object.keys(otherDefaults).length > 0)
    return { ...known, foreign: "It has defaults for all streams, which the steps do not show." };
  const entries = streamDrafts(streams);
  if (!entries) return { ...known, foreign: "Its streams are written in a way that the steps do not show." };
  return {
    ...known,
    source: word(from) || null,
    destination: word(to) || null,
    target: word(rename),
    streams: entries,
    syncRest,
  };
}

/** A document as text; lists of plain values, and maps of nothing, stand on one line. */
export function yamlOf(value: Json): string {
  const document = new Document(value);
  visit(document, {
    Seq(_key, node) {
      node.flow = node.items.every(isScalar) && node.items.length <= LINE_ITEMS_MAX;
    },
    Map(_key, node) {
      node.flow = node.items.length === 0;
    },
  });
  return document.toString({ lineWidth: 110, flowCollectionPadding: false });
}

function streamOptions(stream: StreamDraft): Json {
  const { read, write } = MODES[stream.mode];
  const hasKey = (stream.key?.length ?? 0) > 0;
  const usual = modeOf(read, undefined, hasKey) === stream.mode;
  const columns = {
    ...(stream.exclude.length > 0 && { exclude: stream.exclude }),
    ...(Object.keys(stream.renames).length > 0 && { rename: stream.renames }),
    ...(Object.keys(stream.casts).length > 0 && { cast: stream.casts }),
    ...(stream.hash.length > 0 && { hash: stream.hash }),
  };
  return {
    ...(read === "incremental" && { read }),
    ...(stream.cursor && read === "incremental" && { cursor: stream.cursor }),
    ...(hasKey && { key: stream.key }),
    ...(!usual && { write }),
    ...(stream.rename && { rename: stream.rename }),
    ...(Object.keys(columns).length > 0 && { columns }),
    ...(stream.quarantine && { on_bad_row: "quarantine" }),
    ...stream.rest,
  };
}

function streamDrafts(streams: unknown): StreamDraft[] | undefined {
  if (Array.isArray(streams))
    return streams.map((name) => streamDraft(String(name), {})).filter((one) => one !== undefined);
  if (!isJson(streams)) return undefined;
  const drafts = Object.entries(streams).map(([name, options]) =>
    streamDraft(name, isJson(options) ? options : {}),
  );
  return drafts.every((one) => one !== undefined) ? drafts : undefined;
}

function streamDraft(name: string, options: Json): StreamDraft | undefined {
  const { read, write, cursor, key, rename, columns, on_bad_row: onBadRow, ...rest } = options;
  const keys = Array.isArray(key) ? key.map(String) : undefined;
  const mode = modeOf(read, write, (keys?.length ?? 0) > 0);
  const { exclude, rename: renames, cast, hash, ...otherColumns } = isJson(columns) ? columns : {};
  if (!mode || Object.keys(otherColumns).length > 0) return undefined;
  return {
    name,
    mode,
    ...(cursor !== undefined && cursor !== null && { cursor: word(cursor) }),
    ...(keys && { key: keys }),
    ...(rename !== undefined && rename !== null && { rename: word(rename) }),
    ...(onBadRow === "quarantine" && { quarantine: true }),
    exclude: texts(exclude),
    renames: textMap(renames),
    casts: textMap(cast),
    hash: texts(hash),
    ...(Object.keys(rest).length > 0 && { rest }),
  };
}

function isJson(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function word(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

function textMap(value: unknown): Record<string, string> {
  return isJson(value)
    ? Object.fromEntries(Object.entries(value).map(([name, one]) => [name, String(one)]))
    : {};
}
