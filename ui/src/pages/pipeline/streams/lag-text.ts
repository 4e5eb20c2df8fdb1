import { duration, relative } from "../../../format/durations";

const DAY_SECONDS = 86_400;

/**
 * How far a stream is behind now. Where the newest row was old already when it was loaded, nothing is behind: its source
 * has no newer ones, and what can be told is when the last of them came.
 */
export function lagText(lagSeconds: number, ageSeconds: number | null | undefined): string {
  const wasOld = ageSeconds !== null && ageSeconds !== undefined && lagSeconds - ageSeconds >= DAY_SECONDS;
  return wasOld ? `last event ${relative(-lagSeconds * 1000, 0)}` : duration(lagSeconds * 1000);
}
