/** When a pipeline starts by itself. */
export type ScheduleDraft =
  | { kind: "manual" }
  | { kind: "cron"; cron: string; timezone: string; catchup?: string }
  | { kind: "every"; every: string; catchup?: string }
  | { kind: "pipeline"; pipeline: string; state: string }
  | { kind: "dataset"; dataset: string }
  | { kind: "file"; connection: string; path: string }
  /** Several schedules, or options that the guide does not ask for: kept as the document has them. */
  | { kind: "other"; value: unknown };

export const MANUAL: ScheduleDraft = { kind: "manual" };

/** A cron expression of a simple kind, as its builder has it. */
export type Rhythm =
  | { every: "minutes"; minutes: number }
  | { every: "hour"; minute: number }
  | { every: "day"; time: string }
  | { every: "week"; days: number[]; time: string }
  | { every: "month"; day: string; time: string };

export const WEEKDAYS = [
  "Sunday",
  "Monday",
  "Tuesday",
  "Wednesday",
  "Thursday",
  "Friday",
  "Saturday",
] as const;
const DAY_WORDS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const MACROS: Record<string, string> = {
  "@hourly": "0 * * * *",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@weekly": "0 0 * * 0",
  "@monthly": "0 0 1 * *",
};

/** A rhythm as a cron expression. */
export function cronOf(rhythm: Rhythm): string {
  switch (rhythm.every) {
    case "minutes":
      return `*/${rhythm.minutes} * * * *`;
    case "hour":
      return `${rhythm.minute} * * * *`;
    case "day":
      return `${clock(rhythm.time)} * * *`;
    case "week": {
      const days = [...rhythm.days].sort((a, b) => ((a + 6) % 7) - ((b + 6) % 7));
      return `${clock(rhythm.time)} * * ${days.map((day) => DAY_WORDS[day]).join(",")}`;
    }
    case "month":
      return `${clock(rhythm.time)} ${rhythm.day} * *`;
  }
}

/** The rhythm of a cron expression; undefined where only the expression itself can say it. */
export function rhythmOf(cron: string): Rhythm | undefined {
  const fields = (MACROS[cron.trim()] ?? cron).trim().split(/\s+/);
  const [minute, hour, day, month, weekday] = fields;
  if (fields.length !== 5 || month !== "*" || !minute || !hour || !day || !weekday) return undefined;
  const step = /^\*\/(\d+)$/.exec(minute);
  const isDaily = day === "*" && weekday === "*";
  if (step && hour === "*" && isDaily) return { every: "minutes", minutes: Number(step[1]) };
  if (!/^\d+$/.test(minute)) return undefined;
  if (hour === "*") return isDaily ? { every: "hour", minute: Number(minute) } : undefined;
  if (!/^\d+$/.test(hour)) return undefined;
  const time = `${hour.padStart(2, "0")}:${minute.padStart(2, "0")}`;
  if (isDaily) return { every: "day", time };
  if (day === "*") {
    const days = weekdays(weekday);
    return days && { every: "week", days, time };
  }
  return weekday === "*" && /^(\d+|L)$/.test(day) ? { every: "month", day, time } : undefined;
}

/** When a schedule by time fires, in words where there are any shorter than itself. */
export function timesInWords(draft: ScheduleDraft): string {
  if (draft.kind === "every") return `Every ${draft.every.trim()}`;
  if (draft.kind !== "cron") return "Next runs";
  const rhythm = rhythmOf(draft.cron);
  return `${rhythm ? rhythmInWords(rhythm) : draft.cron.trim()}, ${draft.timezone}`;
}

function rhythmInWords(rhythm: Rhythm): string {
  switch (rhythm.every) {
    case "minutes":
      return rhythm.minutes === 1 ? "Every minute" : `Every ${rhythm.minutes} minutes`;
    case "hour":
      return `Every hour at minute ${rhythm.minute}`;
    case "day":
      return `Every day at ${rhythm.time}`;
    case "week": {
      const days = new Set(rhythm.days);
      const isWork = days.size === 5 && [1, 2, 3, 4, 5].every((day) => days.has(day));
      const names = [1, 2, 3, 4, 5, 6, 0].filter((day) => days.has(day)).map((day) => WEEKDAYS[day]);
      return `${isWork ? "On working days" : `Every ${names.join(", ")}`} at ${rhythm.time}`;
    }
    case "month":
      return `${rhythm.day === "L" ? "On the last day" : `On day ${rhythm.day}`} of every month at ${rhythm.time}`;
  }
}

/** A schedule as a document has it; undefined for none. */
export function scheduleDocument(draft: ScheduleDraft): unknown {
  switch (draft.kind) {
    case "manual":
      return undefined;
    case "cron":
      return withCatchup(
        { cron: draft.cron, ...(draft.timezone !== "UTC" && { timezone: draft.timezone }) },
        draft.catchup,
      );
    case "every":
      return withCatchup({ every: draft.every }, draft.catchup);
    case "pipeline":
      return { on: { pipeline: draft.pipeline, ...(draft.state !== "succeeded" && { state: draft.state }) } };
    case "dataset":
      return { on: { dataset: draft.dataset } };
    case "file":
      return { on: { file: { connection: draft.connection, path: draft.path } } };
    case "other":
      return draft.value;
  }
}

/** The other way round. */
export function scheduleDraft(value: unknown): ScheduleDraft {
  if (value === undefined || value === null) return MANUAL;
  if (typeof value === "string") return { kind: "cron", cron: value, timezone: "UTC" };
  const other: ScheduleDraft = { kind: "other", value };
  if (typeof value !== "object" || Array.isArray(value)) return other;
  const { cron, every, timezone, catchup, on, ...rest } = value as Record<string, unknown>;
  if (Object.keys(rest).length > 0) return other;
  const more = typeof catchup === "string" ? { catchup } : {};
  if (typeof cron === "string" && every === undefined && on === undefined)
    return { kind: "cron", cron, timezone: typeof timezone === "string" ? timezone : "UTC", ...more };
  if (timezone !== undefined) return other;
  if (typeof every === "string" && on === undefined) return { kind: "every", every, ...more };
  if (catchup !== undefined || every !== undefined || typeof on !== "object" || on === null) return other;
  return triggerDraft(on as Record<string, unknown>) ?? other;
}

/** Whether a schedule fires at times, so that they can be told before. */
export function isTimed(draft: ScheduleDraft): boolean {
  return draft.kind === "cron" || draft.kind === "every";
}

/** What a schedule still lacks. */
export function scheduleMistake(draft: ScheduleDraft): string | undefined {
  switch (draft.kind) {
    case "cron":
      return draft.cron.trim() ? undefined : "Write a cron expression.";
    case "every":
      return /^\s*\d+\s*(ms|s|min|m|h|d)/.test(draft.every)
        ? undefined
        : "Write a number and a unit, such as 15m.";
    case "pipeline":
      return draft.pipeline ? undefined : "Choose the pipeline.";
    case "dataset":
      return draft.dataset.includes(".")
        ? undefined
        : "Write the connection and the stream, such as warehouse.orders.";
    case "file":
      return draft.connection && draft.path ? undefined : "Choose a connection, and say which files.";
    default:
      return undefined;
  }
}

function triggerDraft(on: Record<string, unknown>): ScheduleDraft | undefined {
  const { pipeline, state, dataset, file, ...rest } = on;
  if (Object.keys(rest).length > 0) return undefined;
  if (typeof pipeline === "string" && dataset === undefined && file === undefined)
    return { kind: "pipeline", pipeline, state: typeof state === "string" ? state : "succeeded" };
  if (state !== undefined || pipeline !== undefined) return undefined;
  if (typeof dataset === "string" && file === undefined) return { kind: "dataset", dataset };
  const { connection, path } = (file ?? {}) as Record<string, unknown>;
  return typeof connection === "string" && typeof path === "string"
    ? { kind: "file", connection, path }
    : undefined;
}

function withCatchup(value: Record<string, unknown>, catchup: string | undefined): Record<string, unknown> {
  return catchup && catchup !== "last" ? { ...value, catchup } : value;
}

/** `06:30` as the first two fields of an expression. */
function clock(time: string): string {
  const [hour = "0", minute = "0"] = time.split(":");
  return `${Number(minute)} ${Number(hour)}`;
}

function weekdays(field: string): number[] | undefined {
  const number = (word: string) => {
    const at = DAY_WORDS.indexOf(word.toUpperCase());
    return at >= 0 ? at : /^[0-7]$/.test(word) ? Number(word) % 7 : undefined;
  };
  const days: number[] = [];
  for (const part of field.split(",")) {
    const [first, last, ...more] = part.split("-");
    const [from, to] = [number(first ?? ""), number(last ?? first ?? "")];
    if (from === undefined || to === undefined || more.length > 0) return undefined;
    for (let day = from; ; day = (day + 1) % 7) {
      days.push(day);
      if (day === to) break;
    }
  }
  return [...new Set(days)];
}
