const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** How long something took, with two units at most: `840 ms`, `12.4 s`, `3 min 5 s`, `2 h 4 min`, `3 d 1 h`. */
export function duration(ms: number): string {
  if (ms < 0) return duration(0);
  if (ms < SECOND) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / SECOND).toFixed(1)} s`;
  const seconds = Math.round(ms / SECOND) * SECOND;
  if (seconds < HOUR) return two(seconds, MINUTE, "min", SECOND, "s");
  const minutes = Math.round(ms / MINUTE) * MINUTE;
  if (minutes < DAY) return two(minutes, HOUR, "h", MINUTE, "min");
  return two(Math.round(ms / HOUR) * HOUR, DAY, "d", HOUR, "h");
}

/** A duration that is still growing: whole seconds, so that it does not flicker. */
export function elapsed(ms: number): string {
  return ms < MINUTE
    ? `${Math.max(0, Math.floor(ms / SECOND))} s`
    : duration(Math.floor(ms / SECOND) * SECOND);
}

/** An instant as seen from another: `just now`, `12 s ago`, `in 3 min`, `5 d ago`. */
export function relative(instant: number, now: number): string {
  const distance = Math.abs(instant - now);
  if (distance < 2 * SECOND) return instant > now ? "now" : "just now";
  const [size, unit] =
    distance < MINUTE
      ? [SECOND, "s"]
      : distance < HOUR
        ? [MINUTE, "min"]
        : distance < DAY
          ? [HOUR, "h"]
          : distance < 365 * DAY
            ? [DAY, "d"]
            : [365 * DAY, "y"];
  const text = `${Math.floor(distance / size)} ${unit}`;
  return instant > now ? `in ${text}` : `${text} ago`;
}

/** How long `relative` stays true: seconds change each second, hours each minute are enough. */
export function relativeStep(instant: number, now: number): number {
  const distance = Math.abs(instant - now);
  return distance < MINUTE ? SECOND : distance < HOUR ? 10 * SECOND : MINUTE;
}

/** The exact instant in the user's zone: `2026-03-01 14:05:09 GMT+1`. */
export function exact(instant: number, timeZone?: string): string {
  const parts = new Intl.DateTimeFormat("en-GB", {
    timeZone,
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    timeZoneName: "short",
  }).formatToParts(instant);
  const part = (type: Intl.DateTimeFormatPartTypes) => parts.find((one) => one.type === type)?.value ?? "";
  const date = `${part("year")}-${part("month")}-${part("day")}`;
  return `${date} ${part("hour")}:${part("minute")}:${part("second")} ${part("timeZoneName")}`;
}

function two(ms: number, large: number, largeUnit: string, small: number, smallUnit: string): string {
  const [major, minor] = [Math.floor(ms / large), Math.floor((ms % large) / small)];
  return minor === 0 ? `${major} ${largeUnit}` : `${major} ${largeUnit} ${minor} ${smallUnit}`;
}
