import type { PipelineItem } from "../../api/model";
import { Flow } from "../../components/Flow";

/** From where to where a pipeline moves data. */
export function FlowCell({ flows }: { flows: PipelineItem["flows"] }) {
  const [first, ...others] = flows;
  if (!first) return <span className="text-ink-3">Moves no data</span>;
  const all = flows.map((flow) => `${flow.from.connection} to ${flow.to.connection}`).join("\n");
  return (
    <span className="flex min-w-0 items-center gap-1.5" title={all}>
      <Flow {...first} />
      {others.length > 0 && <span className="shrink-0 text-xs text-ink-3">+{others.length}</span>}
    </span>
  );
}
