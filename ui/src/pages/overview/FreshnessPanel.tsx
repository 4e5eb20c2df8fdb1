import { Link } from "@tanstack/react-router";
import type { Overview } from "../../api/model";
import { Panel } from "../../components/Panel";
import { Time } from "../../components/Time";
import { PanelRows } from "./PanelRows";

const SHOWN = 8;

/** How old the loaded datasets are, the oldest first. */
export function FreshnessPanel({ datasets }: { datasets: Overview["datasets"] | undefined }) {
  return (
    <Panel title="Freshness" aside="oldest first">
      <PanelRows
        rows={datasets?.slice(0, SHOWN)}
        rowKey={(dataset) => dataset.name}
        empty="Nothing has been loaded yet."
        expected={5}
      >
        {(dataset) => (
          <div className="flex items-baseline gap-2">
            <span className="min-w-0 truncate" title={dataset.name}>
              <Link to="/catalogue/dataset" search={{ name: dataset.name }} className="hover:underline">
                {dataset.name}
              </Link>
            </span>
            <Time at={dataset.updated_at} className="tabular ml-auto shrink-0 text-ink-2" />
          </div>
        )}
      </PanelRows>
    </Panel>
  );
}
