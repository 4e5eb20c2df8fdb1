const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** Spans of time that end now, as URLs have them. */
export const SPANS: Record<string, { label: string; ms: number }> = {
  "1h": { label: "Last hour", ms: HOUR },
  "24h": { label: "Last 24 hours", ms: 24 * HOUR },
  "7d": { label: "Last 7 days", ms: 7 * 24 * HOUR },
  "30d": { label: "Last 30 days", ms: 30 * 24 * HOUR },
};

/** Where a span begins, on a full minute, so that the same question is asked for a while; an instant is itself. */
export function instantOf(span: string, now: number): string {
  const known = SPANS[span];
  return known ? new Date(Math.floor((now - known.ms) / MINUTE) * MINUTE).toISOString() : span;
}

/** An instant as the browser's own field for a time has it, in the user's zone: `2026-03-01T14:05`. */
export function fieldOf(instant: string): string {
  const at = new Date(instant);
  if (Number.isNaN(at.getTime())) return "";
  return new Date(at.getTime() - at.getTimezoneOffset() * MINUTE).toISOString().slice(0, 16);
}

/** The other way round; nothing for a field that is not filled. */
export function ofField(text: string): string | undefined {
  const at = new Date(text);
  return Number.isNaN(at.getTime()) ? undefined : at.toISOString();
}
