import { useCallback, useEffect, useState } from "react";
import { draftOfText } from "./document";
import { emptyDraft, type Draft } from "./draft";

const KEY = "levada.new-pipeline";

/** What is made so far; it survives a reload of the page in this tab, and goes when the tab is closed. */
export function useDraft(source: string | undefined, destination: string | undefined) {
  const [draft, setDraft] = useState<Draft>(() => {
    const kept = load();
    if (source && kept.source !== source)
      return { ...emptyDraft(), source, destination: destination ?? null };
    return destination ? { ...kept, destination } : kept;
  });
  useEffect(() => store(draft), [draft]);
  const clear = useCallback(() => sessionStorage.removeItem(KEY), []);
  return { draft, setDraft, clear };
}

function load(): Draft {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "null") as Draft | null;
    return kept ? { ...emptyDraft(), ...kept } : emptyDraft();
  } catch {
    return emptyDraft();
  }
}

/** Keeps a draft, unless it has connections of its own: those may hold passwords, which stay out of the browser's store. */
function store(draft: Draft): void {
  const isEmpty = JSON.stringify(draft) === JSON.stringify(emptyDraft());
  if (isEmpty || hasConnections(draft)) sessionStorage.removeItem(KEY);
  else sessionStorage.setItem(KEY, JSON.stringify(draft));
}

function hasConnections(draft: Draft): boolean {
  return (
    "connections" in draft.rest || (draft.text !== null && "connections" in draftOfText(draft.text).rest)
  );
}
