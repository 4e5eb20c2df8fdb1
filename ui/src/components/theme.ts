import { useSyncExternalStore } from "react";

export type Theme = "system" | "light" | "dark";

const KEY = "levada.theme";
const SYSTEM_DARK = window.matchMedia("(prefers-color-scheme: dark)");
const watchers = new Set<() => void>();

/** The theme that was chosen in this browser. */
export function theme(): Theme {
  const stored = localStorage.getItem(KEY);
  return stored === "light" || stored === "dark" ? stored : "system";
}

export function setTheme(next: Theme): void {
  if (next === "system") localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, next);
  applyTheme();
  watchers.forEach((watcher) => watcher());
}

/** Puts the chosen theme on the page; the style sheet does the rest. */
export function applyTheme(): void {
  const chosen = theme();
  if (chosen === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = chosen;
}

export function useTheme(): Theme {
  return useSyncExternalStore(watch, theme);
}

/** Whether the page is dark now, for what is drawn on a canvas. */
export function useIsDark(): boolean {
  return useSyncExternalStore(watch, () => (theme() === "system" ? SYSTEM_DARK.matches : theme() === "dark"));
}

function watch(watcher: () => void): () => void {
  watchers.add(watcher);
  SYSTEM_DARK.addEventListener("change", watcher);
  return () => {
    watchers.delete(watcher);
    SYSTEM_DARK.removeEventListener("change", watcher);
  };
}
