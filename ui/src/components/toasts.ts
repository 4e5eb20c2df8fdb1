import { useSyncExternalStore } from "react";

export interface ToastMessage {
  id: number;
  tone: "ok" | "fail" | "info";
  text: string;
  /** Something to do about it, such as to undo it or to go there. */
  action?: { label: string; run: () => void };
}

let toasts: ToastMessage[] = [];
let lastId = 0;
const watchers = new Set<() => void>();

/** Says something in the corner of the page, for a while. */
export function toast(text: string, options: Partial<Pick<ToastMessage, "tone" | "action">> = {}): void {
  lastId += 1;
  change([...toasts, { id: lastId, tone: "info", text, ...options }]);
}

/** Takes a message away. */
export function dismiss(id: number): void {
  change(toasts.filter((message) => message.id !== id));
}

export function useToasts(): ToastMessage[] {
  return useSyncExternalStore(
    (watcher) => {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    () => toasts,
  );
}

function change(next: ToastMessage[]): void {
  toasts = next;
  watchers.forEach((watcher) => watcher());
}
