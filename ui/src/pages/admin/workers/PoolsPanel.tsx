import { Link } from "@tanstack/react-router";
import type { Pool } from "../../../api/model";
import { Panel } from "../../../components/Panel";
import { plural } from "../../../format/numbers";
import { Slots } from "./Slots";

const HOLDERS_SHOWN = 8;

/** Slots that tasks share, with who holds them. */
export function PoolsPanel({ pools }: { pools: Pool[] }) {
  return (
    <Panel title="Pools" aside={plural(pools.length, "pool")}>
      {pools.length === 0 ? (
        <p className="px-3 py-6 text-center text-ink-2">
          The project has no pools. A pool lets only so many tasks at a system at once.
        </p>
      ) : (
        <ul className="divide-y">
          {pools.map((pool) => (
            <li key={pool.name} className="px-3 py-2">
              <span className="flex items-center gap-4">
                <span className="min-w-0 grow truncate font-medium">{pool.name}</span>
                <Slots used={pool.used} all={pool.slots} label={pool.name} />
              </span>
              {pool.holders.slice(0, HOLDERS_SHOWN).map((holder) => (
                <Link
                  key={holder.task_run}
                  to="/runs/$id"
                  params={{ id: String(holder.run) }}
                  search={{ task: holder.task }}
                  className="block truncate text-xs text-ink-2 hover:underline"
                >
                  {holder.pipeline} / {holder.task}, run {holder.run}: {plural(holder.slots, "slot")}
                </Link>
              ))}
              {pool.holders.length > HOLDERS_SHOWN && (
                <span className="text-xs text-ink-3">
                  and {plural(pool.holders.length - HOLDERS_SHOWN, "other")}
                </span>
              )}
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}
