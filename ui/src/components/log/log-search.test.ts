import { expect, test } from "vitest";
import { levelOf, plain } from "./log-level";
import { matcher, search, type Found } from "./log-search";

function streamOf(text: string, piece: number): ReadableStream<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  return new ReadableStream({
    start(controller) {
      for (let at = 0; at < bytes.length; at += piece) controller.enqueue(bytes.slice(at, at + piece));
      controller.close();
    },
  });
}

const LOG = [
  "2026-01-01T00:00:00Z sys shop -> warehouse",
  "2026-01-01T00:00:01Z out größe: 3",
  "2026-01-01T00:00:02Z err ERROR no place left",
  "a damaged line with größe",
  "",
].join("\n");

async function found(text: string, level: "" | "error" | "warn" | "err" | "sys", piece = 7): Promise<Found> {
  let last: Found | null = null;
  await search(streamOf(LOG, piece), { text, level }, (told) => (last = told), new AbortController().signal);
  if (!last) throw new Error("nothing was told");
  return last;
}

test("matches have the numbers of their lines, wherever the pieces are cut", async () => {
  for (const piece of [1, 5, 1000]) {
    const { lines, looked, isDone } = await found("größe", "", piece);
    expect(lines.map((line) => [line.number, line.text])).toEqual([
      [1, "größe: 3"],
      [3, "a damaged line with größe"],
    ]);
    expect([looked, isDone]).toEqual([4, true]);
  }
});

test("lines are told by who wrote them and by their level", async () => {
  expect((await found("", "sys")).lines.map((line) => line.number)).toEqual([0]);
  expect((await found("", "error")).lines.map((line) => line.number)).toEqual([2]);
  expect((await found("place", "err")).count).toBe(1);
});

test("capitals in what is looked for count", () => {
  expect(matcher({ text: "abc", level: "" })({ stream: "out", text: "ABC" })).toBe(true);
  expect(matcher({ text: "Abc", level: "" })({ stream: "out", text: "abc" })).toBe(false);
});

test("levels are the words that programs use", () => {
  expect(levelOf({ text: "2026 WARN pool is full" })).toBe("warn");
  expect(levelOf({ text: "ValueError: bad" })).toBe("none");
  expect(levelOf({ text: "Traceback (most recent call last):" })).toBe("error");
  expect(levelOf({ text: "no errors were found" })).toBe("none");
  expect(plain("\u001b[31mred\u001b[0m")).toBe("red");
});
