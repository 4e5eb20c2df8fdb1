import type { Diagnostic } from "@codemirror/lint";
import type { PlacedMistake } from "../places";

/** Mistakes as the editor shows them: from their column to the end of the word. */
export function diagnosticsOf(text: string, mistakes: readonly PlacedMistake[]): Diagnostic[] {
  const lines = text.split("\n");
  const starts: number[] = [];
  let start = 0;
  for (const line of lines) {
    starts.push(start);
    start += line.length + 1;
  }
  return mistakes.map(({ line, column, message, advice }) => {
    const at = Math.min(line, lines.length) - 1;
    const content = lines[at] ?? "";
    const from = Math.min(column - 1, content.length);
    const word = /^[^\s,:}\]]+/.exec(content.slice(from))?.[0].length ?? 0;
    const offset = starts[at] ?? 0;
    return {
      from: offset + from,
      to: offset + from + Math.max(word, from < content.length ? 1 : 0),
      severity: "error",
      message: advice ? `${message}\n${advice}` : message,
    };
  });
}
