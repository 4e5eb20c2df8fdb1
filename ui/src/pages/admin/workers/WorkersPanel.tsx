import type { Worker } from "../../../api/model";
import { Panel } from "../../../components/Panel";
import { Status } from "../../../components/Status";
import { Time } from "../../../components/Time";
import { plural } from "../../../format/numbers";
import { Slots } from "./Slots";

/** The processes that execute tasks. */
export function WorkersPanel({ workers }: { workers: Worker[] }) {
  return (
    <Panel title="Workers" aside={plural(workers.length, "worker")}>
      {workers.length === 0 ? (
        <p className="px-3 py-6 text-center text-ink-2">
          Nothing executes tasks. Start one: <code className="font-mono text-xs">levada worker</code>
        </p>
      ) : (
        <ul className="divide-y">
          {workers.map((worker) => (
            <li key={worker.id} className="flex flex-wrap items-center gap-x-4 gap-y-1 px-3 py-2">
              <span className="min-w-0 grow basis-40">
                <span className="block truncate font-medium" title={worker.host}>
                  {worker.name}
                </span>
                <span className="block truncate text-xs text-ink-2">
                  started <Time at={worker.started_at} />
                </span>
                {worker.labels.length > 0 && (
                  <span className="block text-xs text-ink-2">Labels: {worker.labels.join(", ")}</span>
                )}
                {worker.own_runs_only && <span className="block text-xs text-ink-2">Its own runs only</span>}
              </span>
              <Slots used={worker.held} all={worker.slots} label={worker.name} />
              <span className="ml-auto w-24 text-right">
                <Status state={worker.state} />
                <span className="block text-xs text-ink-3">
                  heard <Time at={worker.heard_of_at} />
                </span>
              </span>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}
