/** How a stream is loaded: which rows are read, and how they get in. */
export type Mode = "replace" | "append" | "merge" | "new" | "changes";
export type Read = "full" | "incremental";
export type Write = "replace" | "append" | "merge";

interface ModeWords {
  read: Read;
  write: Write;
  title: string;
  /** What it does, in a sentence. */
  says: string;
}

export const MODES: Record<Mode, ModeWords> = {
  replace: {
    read: "full",
    write: "replace",
    title: "Replace everything",
    says: "Each run reads all rows; afterwards the target holds just these.",
  },
  changes: {
    read: "incremental",
    write: "merge",
    title: "Update what has changed",
    says: "Each run reads new and changed rows, and updates or adds them by their key. Deleted rows stay.",
  },
  new: {
    read: "incremental",
    write: "append",
    title: "Add what is new",
    says: "Each run reads what has come since the last one, and adds it.",
  },
  merge: {
    read: "full",
    write: "merge",
    title: "Update everything",
    says: "Each run reads all rows, and updates or adds them by their key. Deleted rows stay.",
  },
  append: {
    read: "full",
    write: "append",
    title: "Add everything again",
    says: "Each run reads all rows, and adds them once more.",
  },
};

export const MODE_ORDER: Mode[] = ["replace", "changes", "new", "merge", "append"];

/** What is known of a stream and of both ends, for which modes there are. */
export interface Facts {
  /** The columns that name a row: those of the source, or those chosen. */
  key: readonly string[];
  /** Columns that can tell what is new. */
  cursors: readonly string[];
  /** Columns with their types. */
  columns: readonly { name: string; type: string }[];
  /** The source tells by itself what is new. */
  ownOrder: boolean;
  /** How the destination can be written to, and its name in words. */
  writes: readonly Write[];
  destination: string;
}

/** Why a mode is not possible; undefined where it is. */
export function impossible(mode: Mode, facts: Facts): string | undefined {
  const { read, write } = MODES[mode];
  if (!facts.writes.includes(write)) {
    const does = { replace: "be replaced", append: "be added to", merge: "be updated by key" }[write];
    return `${facts.destination} cannot ${does}`;
  }
  if (write === "merge" && facts.key.length === 0) return "needs a key";
  if (read === "incremental" && !facts.ownOrder && facts.cursors.length === 0)
    return "needs a column that tells what is new";
  return undefined;
}

/** Whether a mode reads by a cursor column. */
export function needsCursor(mode: Mode, facts: Pick<Facts, "ownOrder">): boolean {
  return MODES[mode].read === "incremental" && !facts.ownOrder;
}

/** The column that most likely tells what is new. */
export function likelyCursor(facts: Facts): string | undefined {
  const type = (name: string) => facts.columns.find((column) => column.name === name)?.type ?? "";
  const isTime = (name: string) => type(name).startsWith("timestamp");
  const rank = (name: string) => {
    if (isTime(name) && /updat|modif|chang/i.test(name)) return 0;
    if (isTime(name) && /creat|insert|_at$|time/i.test(name)) return 1;
    if (isTime(name)) return 2;
    if (facts.key.length === 1 && facts.key[0] === name) return 3;
    return type(name) === "date" ? 4 : 5;
  };
  const [best] = [...facts.cursors].sort((a, b) => rank(a) - rank(b));
  return best !== undefined && rank(best) < 5 ? best : undefined;
}

/** The mode to start from: what has changed where a column plainly tells that and rows have a key, else everything. */
export function defaultMode(facts: Facts): Mode {
  const cursor = likelyCursor(facts);
  const tellsChanges = cursor !== undefined && /updat|modif|chang/i.test(cursor);
  return tellsChanges && !impossible("changes", facts) ? "changes" : "replace";
}

/** The mode of a document's words. */
export function modeOf(read: unknown, write: unknown, hasKey: boolean): Mode | undefined {
  const reads = read ?? "full";
  const writes = write ?? (reads === "full" ? "replace" : hasKey ? "merge" : "append");
  return MODE_ORDER.find((mode) => MODES[mode].read === reads && MODES[mode].write === writes);
}
