import type { Mistake } from "../../api/error";
import type { TaskEntry } from "../../format/pipeline-outline";

/** A mistake with its place in the text. */
export interface PlacedMistake {
  /** From 1. */
  line: number;
  /** From 1. */
  column: number;
  message: string;
  advice: string;
}

/** Mistakes with the lines that their places tell: `pipelines/shop.yaml:3:5`. One without a line is at the top. */
export function placed(mistakes: readonly Mistake[]): PlacedMistake[] {
  return mistakes.map(({ message, place, advice }) => {
    const found = place.map((part) => /:(\d+)(?::(\d+))?$/.exec(part)).find((match) => match !== null);
    const rest = place.filter((part) => !/:\d+$/.test(part) && !part.endsWith(".yaml"));
    return {
      line: Number(found?.[1] ?? 1),
      column: Number(found?.[2] ?? 1),
      message: [...rest, message].join(": "),
      advice,
    };
  });
}

/** The first mistake of each task, by the lines where tasks begin. */
export function mistakesByTask(
  mistakes: readonly PlacedMistake[],
  tasks: readonly TaskEntry[],
): Map<string, string> {
  const byLine = [...tasks].sort((a, b) => a.line - b.line);
  const found = new Map<string, string>();
  for (const { line, message } of mistakes) {
    const task = byLine.findLast((one) => one.line <= line);
    if (task && !found.has(task.name)) found.set(task.name, message);
  }
  return found;
}
