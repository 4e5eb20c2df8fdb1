import { ArrowRight } from "lucide-react";
import type { Endpoint } from "../api/model";
import { ConnectorMark } from "./ConnectorMark";

interface FlowProps {
  from: Endpoint;
  to: Endpoint;
}

/** From where to where data goes. */
export function Flow({ from, to }: FlowProps) {
  return (
    <span className="flex min-w-0 items-center gap-1.5">
      <End {...from} />
      <ArrowRight className="size-3 shrink-0 text-ink-3" aria-label="to" />
      <End {...to} />
    </span>
  );
}

function End({ connection, connector }: Endpoint) {
  return (
    <span className="flex min-w-0 items-center gap-1.5">
      <ConnectorMark connector={connector} />
      <span className="truncate">{connection}</span>
    </span>
  );
}
