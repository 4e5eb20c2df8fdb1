import { useBlocker } from "@tanstack/react-router";
import { useCallback, useEffect, useState } from "react";
import type { Versioned } from "../../api/client";
import { ApiError } from "../../api/error";
import type { PipelineDocument } from "../../api/model";
import { useSaveDocument } from "../../api/queries/documents";
import { toast } from "../../components/toasts";

/** Steps that can be taken back. */
const STEPS_MAX = 200;
/** Changes within this time are one step. */
const STEP_MS = 800;

interface State {
  /** The version that the draft was made from. */
  base: { text: string; etag: string | null; version: number };
  text: string;
  past: string[];
  future: string[];
  changedAt: number;
}

/** A document that is being changed and is not saved yet. */
export interface Draft {
  text: string;
  /** The text that it was made from. */
  saved: string;
  isDirty: boolean;
  /** The version that somebody else has saved meanwhile. */
  other: PipelineDocument | null;
  change: (text: string) => void;
  undo: (() => void) | undefined;
  redo: (() => void) | undefined;
  discard: () => void;
  /** Saves it; over what somebody else has saved only if that is said. */
  save: (over?: boolean) => Promise<void>;
  isSaving: boolean;
  error: unknown;
  isStale: boolean;
}

/** The draft of a pipeline's document, for all tabs of its page. */
export function useDraft(pipeline: string, current: Versioned<PipelineDocument>): Draft {
  const { data: document, etag } = current;
  const [state, setState] = useState<State>(() => fresh(document, etag));
  const save = useSaveDocument(pipeline);
  const { reset } = save;
  const isDirty = state.text !== state.base.text;
  const isBehind = document.version !== state.base.version;
  // what others save shows up, unless something is not saved here
  if (isBehind && !isDirty) setState(fresh(document, etag));

  useBlocker({
    shouldBlockFn: ({ next }) => {
      const isInside =
        next.pathname.startsWith(`/pipelines/${encodeURIComponent(pipeline)}/`) ||
        next.pathname.startsWith(`/pipelines/${pipeline}/`);
      return (
        isDirty &&
        !isInside &&
        !window.confirm("The changes of this pipeline are not saved. Leave them behind?")
      );
    },
    enableBeforeUnload: () => isDirty,
  });

  const change = useCallback(
    (text: string) => {
      reset();
      setState((before) => {
        if (text === before.text) return before;
        const now = Date.now();
        const isSameStep = now - before.changedAt < STEP_MS && before.past.length > 0;
        const past = isSameStep ? before.past : [...before.past, before.text].slice(-STEPS_MAX);
        return { ...before, text, past, future: [], changedAt: now };
      });
    },
    [reset],
  );
  const undo = useCallback(
    () =>
      setState((before) => {
        const text = before.past.at(-1);
        if (text === undefined) return before;
        return {
          ...before,
          text,
          past: before.past.slice(0, -1),
          future: [before.text, ...before.future],
          changedAt: 0,
        };
      }),
    [],
  );
  const redo = useCallback(
    () =>
      setState((before) => {
        const [text, ...future] = before.future;
        if (text === undefined) return before;
        return { ...before, text, past: [...before.past, before.text], future, changedAt: 0 };
      }),
    [],
  );
  const discard = useCallback(() => {
    reset();
    setState(fresh(document, etag));
  }, [document, etag, reset]);

  const store = async (over = false) => {
    const sent = state.text;
    const saved = await save.mutateAsync({ text: sent, etag: over ? etag : state.base.etag });
    setState((before) => ({
      ...before,
      base: { text: sent, etag: saved.etag ?? `"v${saved.data.version}"`, version: saved.data.version },
    }));
    toast(
      saved.data.change === "unchanged" ? "Nothing had changed." : `Saved as version ${saved.data.version}.`,
      { tone: "ok" },
    );
  };

  useEffect(() => reset, [reset]);
  const isStale = save.error instanceof ApiError && save.error.isStale;
  return {
    text: state.text,
    saved: state.base.text,
    isDirty,
    other: isBehind && isDirty ? document : null,
    change,
    undo: state.past.length > 0 ? undo : undefined,
    redo: state.future.length > 0 ? redo : undefined,
    discard,
    save: store,
    isSaving: save.isPending,
    error: isStale ? null : save.error,
    isStale,
  };
}

function fresh({ text, version }: PipelineDocument, etag: string | null): State {
  return { base: { text, etag, version }, text, past: [], future: [], changedAt: 0 };
}
