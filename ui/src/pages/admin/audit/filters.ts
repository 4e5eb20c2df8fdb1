const HOUR = 3_600_000;

export const OUTCOMES = [
  { value: "asked", label: "Allowed" },
  { value: "done", label: "Done" },
  { value: "denied", label: "Denied" },
  { value: "failed", label: "Failed" },
];

export const SPANS = [
  { value: "1h", label: "Last hour" },
  { value: "24h", label: "Last 24 hours" },
  { value: "168h", label: "Last 7 days" },
  { value: "720h", label: "Last 30 days" },
];

/** The instant that a span goes back to, at the whole minute so that the list stays the same while it is looked at. */
export function sinceOf(span: string, now: number): string {
  const hours = Number(/^(\d+)h$/.exec(span)?.[1] ?? Number.NaN);
  if (!Number.isFinite(hours)) return span;
  const minute = Math.floor(now / 60_000) * 60_000;
  return new Date(minute - hours * HOUR).toISOString();
}
