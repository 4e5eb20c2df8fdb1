/** An item in a few words: its text, or its values. */
export function itemName(item: unknown, index: number): string {
  if (item === null || item === undefined) return `Item ${index + 1}`;
  if (typeof item !== "object") return String(item);
  const values: unknown[] = Array.isArray(item) ? item : Object.values(item);
  return values
    .map((value) => (typeof value === "object" ? JSON.stringify(value) : String(value)))
    .join(" · ");
}
