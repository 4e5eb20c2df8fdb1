import { lazy, Suspense } from "react";
import type { CodeDiffProps } from "./CodeDiffView";

const CodeDiffView = lazy(() => import("./CodeDiffView"));

/** Two texts compared, line by line. */
export function CodeDiff(props: CodeDiffProps) {
  return (
    <Suspense fallback={<div style={{ height: props.height }} className="rounded border" />}>
      <CodeDiffView {...props} />
    </Suspense>
  );
}
