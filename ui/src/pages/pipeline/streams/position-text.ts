import { plural } from "../../../format/numbers";

/** A position in a few words: the cursor's value, or how many files were seen. */
export function positionText(position: unknown): string {
  if (position === null || position === undefined) return "";
  if (typeof position !== "object") return String(position);
  const { files, cursor, ...rest } = position as Record<string, unknown>;
  if (Object.keys(rest).length > 0) return JSON.stringify(position);
  if (typeof files === "object" && files !== null) return plural(Object.keys(files).length, "file");
  return cursor === undefined ? "" : typeof cursor === "object" ? JSON.stringify(cursor) : String(cursor);
}
