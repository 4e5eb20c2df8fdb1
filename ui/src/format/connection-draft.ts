import type { Connection } from "../api/model";

/** What the API takes as a connection: a connector with settings, or a URL. */
export type ConnectionBody = { connector: string; settings: Record<string, unknown> } | { url: string };

/** A connection as a form has it. */
export interface ConnectionDraft {
  name: string;
  connector: string;
  /** Filled in field by field, or as one URL. */
  form: "fields" | "url";
  settings: Record<string, unknown>;
  url: string;
}

const NAME_MAX = 100;

/** A form for a new connection of a kind. */
export function newDraft(connector: string, name: string): ConnectionDraft {
  return { name, connector, form: "fields", settings: {}, url: "" };
}

/** A form with what a connection says now. */
export function draftOf(connection: Connection): ConnectionDraft {
  return {
    name: connection.name,
    connector: connection.connector ?? "",
    form: connection.url !== null && connection.url !== undefined ? "url" : "fields",
    settings: connection.settings ?? {},
    url: connection.url ?? "",
  };
}

/** What a form says, as the API takes it. */
export function bodyOf(draft: ConnectionDraft): ConnectionBody {
  return draft.form === "url"
    ? { url: draft.url.trim() }
    : { connector: draft.connector, settings: draft.settings };
}

/** Whether two versions of a connection say the same. */
export function sameConnection(a: Connection, b: Connection): boolean {
  const said = ({ connector, settings, url }: Connection) =>
    JSON.stringify([connector, ordered(settings), url ?? null]);
  return said(a) === said(b);
}

/** What is wrong with the name of a connection, in words. */
export function nameMistake(name: string, taken: readonly string[]): string | undefined {
  if (!name) return "A connection needs a name.";
  if (name.length > NAME_MAX) return `At most ${NAME_MAX} characters.`;
  if (!/^[\p{L}\p{N}_.-]+$/u.test(name)) return "Letters, digits, _, - and . only.";
  return taken.includes(name) ? "There is a connection of this name already." : undefined;
}

/** A name that is free: `postgres`, `postgres_2`. */
export function freeName(wanted: string, taken: readonly string[]): string {
  let name = wanted;
  for (let number = 2; taken.includes(name); number += 1) name = `${wanted}_${number}`;
  return name;
}

/** How a URL of a connector looks, from the words of its schema: the first thing in backticks. */
export function urlExample(settings: unknown): string | undefined {
  const url = (settings as { properties?: { url?: { description?: string } } } | null)?.properties?.url;
  return /`([^`]+)`/.exec(url?.description ?? "")?.[1];
}

/** The settings by which two versions differ, as texts. */
export function differences(
  mine: ConnectionDraft,
  theirs: Connection,
): { name: string; mine: string; theirs: string }[] {
  const flat = (body: object) => new Map(Object.entries(body).map(([name, value]) => [name, shown(value)]));
  const other = draftOf(theirs);
  const ours = flat(mine.form === "url" ? { url: mine.url } : mine.settings);
  const others = flat(other.form === "url" ? { url: other.url } : other.settings);
  const names = [...new Set([...ours.keys(), ...others.keys()])];
  return names
    .map((name) => ({ name, mine: ours.get(name) ?? "", theirs: others.get(name) ?? "" }))
    .filter((one) => one.mine !== one.theirs);
}

function shown(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function ordered(settings: Record<string, unknown> | null | undefined): [string, unknown][] | null {
  return settings ? Object.entries(settings).sort(([a], [b]) => (a < b ? -1 : 1)) : null;
}
