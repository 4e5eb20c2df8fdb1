import type { CodeDiffProps } from "./CodeDiffView";
import { later } from "./later";

/** Two texts compared, line by line. */
export const CodeDiff = later<CodeDiffProps>(
  () => import("./CodeDiffView"),
  ({ height }) => <div style={{ height }} className="rounded border" />,
);
