import { parse } from "yaml";

/** Larger changes are printed anew: comparing them line by line would take too long. */
const CELLS_MAX = 4_000_000;

/**
 * A changed document in the form in which it was typed. The printer has its own taste for spaces: where it prints a line
 * just as it did before the change, the line as it was typed is taken instead.
 */
export function keepFormat(typed: string, before: string, after: string, meaning: unknown): string {
  const [typedLines, beforeLines, afterLines] = [typed, before, after].map((text) => text.split("\n")) as [
    string[],
    string[],
    string[],
  ];
  const bare = (line: string) => line.replaceAll(/\s/g, "");
  const same = matches(afterLines, beforeLines);
  const kept = matches(beforeLines.map(bare), typedLines.map(bare));
  if (!same || !kept) return after;
  const lines: string[] = [];
  let copied = 0;
  afterLines.forEach((line, index) => {
    const place = kept.get(same.get(index) ?? -1);
    if (place === undefined) return void lines.push(line.replaceAll("[ ", "[").replaceAll(" ]", "]"));
    // blank lines that the printer left out come along with the line after them
    let blanks = place;
    while (blanks > copied && typedLines[blanks - 1]?.trim() === "") blanks -= 1;
    for (let at = blanks; at < place; at += 1)
      if (lines.at(-1)?.trim() !== "") lines.push(typedLines[at] ?? "");
    lines.push(typedLines[place] ?? line);
    copied = place + 1;
  });
  const text = lines.join("\n");
  return means(text, meaning) ? text : after;
}

/** Which line of `a` is which of `b`, in order; null where the two are too different to tell. */
function matches(a: string[], b: string[]): Map<number, number> | null {
  const found = new Map<number, number>();
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) found.set(start, start++);
  let [endA, endB] = [a.length, b.length];
  while (endA > start && endB > start && a[endA - 1] === b[endB - 1]) found.set(--endA, --endB);
  const [rows, columns] = [endA - start, endB - start];
  if (rows * columns > CELLS_MAX) return null;
  const width = columns + 1;
  const longest = new Uint32Array((rows + 1) * width);
  const at = (row: number, column: number) => longest[row * width + column] ?? 0;
  for (let row = rows - 1; row >= 0; row -= 1)
    for (let column = columns - 1; column >= 0; column -= 1)
      longest[row * width + column] =
        a[start + row] === b[start + column]
          ? at(row + 1, column + 1) + 1
          : Math.max(at(row + 1, column), at(row, column + 1));
  let [row, column] = [0, 0];
  while (row < rows && column < columns) {
    if (a[start + row] === b[start + column]) found.set(start + row++, start + column++);
    else if (at(row + 1, column) >= at(row, column + 1)) row += 1;
    else column += 1;
  }
  return found;
}

function means(text: string, meaning: unknown): boolean {
  try {
    return JSON.stringify(parse(text)) === JSON.stringify(meaning);
  } catch {
    return false;
  }
}
