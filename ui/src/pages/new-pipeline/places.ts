import { isCollection, isMap, LineCounter, parseDocument, type Node } from "yaml";
import type { Mistake } from "../../api/error";
import type { Step } from "./draft";

/** A mistake with the step that can mend it, and its place in the text. */
export interface PlacedMistake extends Mistake {
  step: Step | null;
  /** The stream that it is about. */
  stream: string | null;
  /** Where it is in the text, in characters. */
  offset: number | null;
  /** The line, from 1. */
  line: number | null;
}

/**
 * Where mistakes belong. Those of a document name line and column (`pipelines/orders.yaml:7:3`); those of a plan name the
 * stream or the connection.
 */
export function placed(mistakes: readonly Mistake[], text: string): PlacedMistake[] {
  return mistakes.map((mistake) => {
    const spot = mistake.place.map((place) => /:(\d+):(\d+)$/.exec(place)).find((found) => found !== null);
    if (!spot) {
      const stream =
        mistake.place.map((place) => /^stream `(.+)`$/.exec(place)?.[1]).find((name) => name !== undefined) ??
        null;
      const isSource = mistake.place.some((place) => place.startsWith("connection `"));
      return {
        ...mistake,
        step: stream ? "modes" : isSource ? "streams" : null,
        stream,
        offset: null,
        line: null,
      };
    }
    const [line, column] = [Number(spot[1]), Number(spot[2])];
    const offset = offsetOf(text, line, column);
    const path = pathAt(text, offset);
    return { ...mistake, ...stepOf(path), offset, line };
  });
}

/** The keys that lead to a place in a document. */
export function pathAt(text: string, offset: number): string[] {
  const path: string[] = [];
  let node: Node | null = parseDocument(text, { lineCounter: new LineCounter() }).contents;
  while (isCollection(node)) {
    if (!isMap(node)) break;
    const pairs = node.items.map((pair) => ({
      key: pair.key as Node | null,
      value: pair.value as Node | null,
    }));
    const found = pairs.findLast(({ key }) => key?.range && key.range[0] <= offset);
    const end = found?.value?.range?.[2] ?? found?.key?.range?.[2] ?? 0;
    if (!found?.key || offset > end) break;
    path.push(String(found.key));
    node = found.value;
  }
  return path;
}

function stepOf(path: readonly string[]): { step: Step | null; stream: string | null } {
  const [top, part, name, option] = path;
  if (top === "schedule") return { step: "schedule", stream: null };
  if (top !== "sync") return { step: top === undefined ? null : "review", stream: null };
  if (part === "from") return { step: "source", stream: null };
  if (part === "to" || part === "defaults") return { step: "destination", stream: null };
  if (part !== "streams") return { step: "review", stream: null };
  if (name === undefined) return { step: "streams", stream: null };
  return { step: option === "columns" ? "columns" : "modes", stream: name };
}

function offsetOf(text: string, line: number, column: number): number {
  const before = text.split("\n").slice(0, line - 1);
  return Math.min(text.length, before.reduce((sum, one) => sum + one.length + 1, 0) + column - 1);
}
