import type { CodeEditorProps } from "./CodeEditor";
import { later } from "./later";

/** Code with highlighting, to read or to edit. The editor is loaded with the first one; until then the text stands plain. */
export const Code = later<CodeEditorProps>(
  () => import("./CodeEditor"),
  ({ height, value }) => (
    <pre
      className="min-h-0 overflow-auto rounded border bg-canvas py-1 pl-12 font-mono text-xs/5"
      style={{ height }}
    >
      {value}
    </pre>
  ),
);
