import {
  autocompletion,
  closeBrackets,
  completionKeymap,
  type CompletionSource,
} from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { sql } from "@codemirror/lang-sql";
import { yaml } from "@codemirror/lang-yaml";
import { bracketMatching, foldGutter, indentOnInput, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, lintKeymap, setDiagnostics, type Diagnostic } from "@codemirror/lint";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { Compartment, EditorState, type Extension } from "@codemirror/state";
import { EditorView, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { useEffect, useEffectEvent, useRef } from "react";
import { editorHighlight, editorTheme } from "./code-theme";

export interface CodeEditorProps {
  value: string;
  language: "yaml" | "sql" | "json" | "text";
  /** What it holds, for screen readers. */
  label: string;
  /** Called as it changes; without it the code is to be read only. */
  onChange?: (value: string) => void;
  /** Mistakes, with their places in the text. */
  diagnostics?: Diagnostic[];
  /** What can stand at the cursor. */
  complete?: CompletionSource;
  /** Called for Ctrl/Cmd-Enter. */
  onSubmit?: () => void;
  height?: string;
}

// JSON is YAML
const LANGUAGES: Record<CodeEditorProps["language"], () => Extension> = {
  yaml,
  json: yaml,
  sql: () => sql(),
  text: () => [],
};

/** The editor itself. Escape, then Tab leaves it; otherwise Tab indents. */
export default function CodeEditor(props: CodeEditorProps) {
  const { value, language, label, onChange, diagnostics, complete, onSubmit, height } = props;
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const isReadOnly = onChange === undefined;
  const changed = useEffectEvent((text: string) => onChange?.(text));
  const submitted = useEffectEvent(() => onSubmit?.());
  const completed = useEffectEvent<CompletionSource>((context) => complete?.(context) ?? null);
  const initial = useEffectEvent(() => value);

  useEffect(() => {
    const parent = host.current;
    if (!parent) return undefined;
    const editable = new Compartment();
    const editor = new EditorView({
      parent,
      doc: initial(),
      extensions: [
        lineNumbers(),
        foldGutter(),
        syntaxHighlighting(editorHighlight),
        editorTheme,
        LANGUAGES[language](),
        EditorView.contentAttributes.of({ "aria-label": label, tabindex: "0" }),
        editable.of(isReadOnly ? [EditorState.readOnly.of(true)] : []),
        highlightSelectionMatches(),
        keymap.of([{ key: "Mod-Enter", run: () => (submitted(), true) }]),
        isReadOnly
          ? keymap.of([...defaultKeymap, ...searchKeymap])
          : [
              history(),
              indentOnInput(),
              bracketMatching(),
              closeBrackets(),
              highlightActiveLine(),
              lintGutter(),
              autocompletion({ override: [completed] }),
              keymap.of([
                ...completionKeymap,
                ...lintKeymap,
                ...historyKeymap,
                ...searchKeymap,
                ...defaultKeymap,
                indentWithTab,
              ]),
            ],
        EditorView.updateListener.of((update) => update.docChanged && changed(update.state.doc.toString())),
      ],
    });
    view.current = editor;
    return () => {
      view.current = null;
      editor.destroy();
    };
  }, [language, label, isReadOnly]);

  useEffect(() => {
    const editor = view.current;
    const text = editor?.state.doc.toString();
    if (editor && text !== undefined && text !== value)
      editor.dispatch({ changes: { from: 0, to: text.length, insert: value } });
  }, [value]);

  useEffect(() => {
    const editor = view.current;
    if (!editor || isReadOnly) return;
    const length = editor.state.doc.length;
    const within = (diagnostics ?? []).filter((one) => one.from <= length && one.to <= length);
    editor.dispatch(setDiagnostics(editor.state, within));
  }, [diagnostics, isReadOnly]);

  return <div ref={host} className="min-h-0 overflow-hidden rounded border" style={{ height }} />;
}
