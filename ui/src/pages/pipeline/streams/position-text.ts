/** A position in a few words: the cursor's value, or how many files were seen. */
export function positionText(position: unknown): string {
  if (position === null || position === undefined) return "";
  if (typeof position !== "object") return String(position);
  const entries = Object.entries(position);
  const [only] = entries;
  if (entries.length === 1 && only) {
    const [name, value] = only;
    if (Array.isArray(value)) return `${value.length} ${name}`;
    return positionText(value) || name;
  }
  const plain = entries.filter(([, value]) => typeof value !== "object" || value === null);
  if (plain.length === entries.length)
    return entries.map(([name, value]) => `${name} ${String(value)}`).join(", ");
  return JSON.stringify(position);
}
