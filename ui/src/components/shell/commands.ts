import type { LucideIcon } from "lucide-react";

/** Something that the palette offers. */
export interface Command {
  id: string;
  title: string;
  detail?: string | undefined;
  icon: LucideIcon;
  keys?: string[];
  run: () => void;
}

/** A command with other words to find it by. */
export interface WordedCommand extends Command {
  words: string;
}

/** Whether every word of a text is in the title of a command, or among its other words. */
export function fits({ title, words }: { title: string; words: string }, text: string): boolean {
  const heap = `${title} ${words}`.toLowerCase();
  return text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => heap.includes(word));
}

/** What a text names, without the word for what is to be done: of "pause orders" it is "orders". */
export function namedIn(text: string): string {
  return text.replace(/^(?:run|start|pause|resume|open)\s+(?=\S)/i, "");
}
