import { plural } from "../../../format/numbers";

/** A position in a few words: the cursor's value, how many files were seen, or what else its source keeps. */
export function positionText(position: unknown): string {
  if (position === null || position === undefined) return "";
  if (typeof position !== "object") return String(position);
  const { files, cursor } = position as Record<string, unknown>;
  // the column of a cursor stands beside the mode
  if (cursor !== undefined && cursor !== null) return valueText(cursor);
  if (typeof files === "object" && files !== null) return plural(Object.keys(files).length, "file");
  return Object.entries(position)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name} ${valueText(value)}`)
    .join(", ");
}

function valueText(value: unknown): string {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
