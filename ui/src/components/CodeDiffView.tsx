import { yaml } from "@codemirror/lang-yaml";
import { syntaxHighlighting } from "@codemirror/language";
import { unifiedMergeView } from "@codemirror/merge";
import { EditorState } from "@codemirror/state";
import { EditorView, lineNumbers } from "@codemirror/view";
import { useEffect, useRef } from "react";
import { editorHighlight, editorTheme } from "./code-theme";

export interface CodeDiffProps {
  before: string;
  after: string;
  /** What it compares, for screen readers. */
  label: string;
  height: string;
}

const COLOURS = EditorView.theme({
  ".cm-deletedChunk": { backgroundColor: "var(--fail-soft)" },
  "&.cm-merge-b .cm-changedLine, .cm-insertedLine": { backgroundColor: "var(--ok-soft)" },
  "&.cm-merge-b .cm-changedText, .cm-changedText": {
    background: "color-mix(in srgb, var(--ok) 22%, transparent)",
  },
  ".cm-deletedChunk .cm-deletedText": { background: "color-mix(in srgb, var(--fail) 22%, transparent)" },
  ".cm-collapsedLines::before, .cm-collapsedLines::after": { content: "none" },
  ".cm-collapsedLines": { background: "var(--sunken)", color: "var(--ink-2)", padding: "2px 8px" },
});

/** The comparison itself: lines that are gone above those that came. */
export default function CodeDiffView({ before, after, label, height }: CodeDiffProps) {
  const host = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const parent = host.current;
    if (!parent) return undefined;
    const view = new EditorView({
      parent,
      doc: after,
      extensions: [
        lineNumbers(),
        yaml(),
        syntaxHighlighting(editorHighlight),
        editorTheme,
        COLOURS,
        EditorState.readOnly.of(true),
        EditorView.contentAttributes.of({ "aria-label": label, tabindex: "0" }),
        unifiedMergeView({
          original: before,
          mergeControls: false,
          highlightChanges: true,
          collapseUnchanged: { margin: 3, minSize: 6 },
        }),
      ],
    });
    return () => view.destroy();
  }, [before, after, label]);
  return <div ref={host} className="min-h-0 overflow-hidden rounded border" style={{ height }} />;
}
