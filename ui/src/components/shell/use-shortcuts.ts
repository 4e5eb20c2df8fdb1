import { useNavigate } from "@tanstack/react-router";
import { useEffect, useEffectEvent, useRef } from "react";
import { NAVIGATION } from "../../navigation";

/** The key that goes with others here: Cmd on Apple's systems, Ctrl elsewhere. */
export const MOD = /Mac|iPhone|iPad/.test(navigator.userAgent) ? "⌘" : "Ctrl";

/** How long `g` waits for its letter. */
const WAIT_MS = 1_200;

interface Shortcuts {
  onPalette: () => void;
  onHelp: () => void;
}

/** The keys that work on every page: the palette, the help, `/` into the search, and `g` with a letter to a page. */
export function useShortcuts({ onPalette, onHelp }: Shortcuts): void {
  const navigate = useNavigate();
  const goAt = useRef(0);
  const press = useEffectEvent((event: KeyboardEvent) => {
    if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      onPalette();
      return;
    }
    if (event.metaKey || event.ctrlKey || event.altKey || isTyping(event.target)) return;
    const isGoing = Date.now() - goAt.current < WAIT_MS;
    goAt.current = 0;
    const page = isGoing && NAVIGATION.find((item) => item.key === event.key);
    if (page) {
      event.preventDefault();
      void navigate({ to: page.to });
    } else if (event.key === "g") goAt.current = Date.now();
    else if (event.key === "?") onHelp();
    else if (event.key === "/") {
      const search = document.querySelector<HTMLInputElement>("input[data-search]");
      if (!search) return;
      event.preventDefault();
      search.focus();
    }
  });
  useEffect(() => {
    const listener = (event: KeyboardEvent) => press(event);
    window.addEventListener("keydown", listener);
    return () => window.removeEventListener("keydown", listener);
  }, []);
}

/** Whether a key is text for whatever has the focus. */
function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}
