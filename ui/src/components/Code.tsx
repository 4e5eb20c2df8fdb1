import { lazy, Suspense } from "react";
import type { CodeEditorProps } from "./CodeEditor";

const CodeEditor = lazy(() => import("./CodeEditor"));

/** Code with highlighting, to read or to edit. The editor is loaded with the first one; until then the text stands plain. */
export function Code(props: CodeEditorProps) {
  return (
    <Suspense
      fallback={
        <pre
          className="min-h-0 overflow-auto rounded border bg-canvas py-1 pl-12 font-mono text-xs/5"
          style={{ height: props.height }}
        >
          {props.value}
        </pre>
      }
    >
      <CodeEditor {...props} />
    </Suspense>
  );
}
