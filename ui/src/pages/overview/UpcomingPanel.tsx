import { Link } from "@tanstack/react-router";
import type { Overview } from "../../api/model";
import { Panel } from "../../components/Panel";
import { Time } from "../../components/Time";
import { PanelRows } from "./PanelRows";

/** What starts next by itself. */
export function UpcomingPanel({ upcoming }: { upcoming: Overview["upcoming"] | undefined }) {
  return (
    <Panel title="Upcoming">
      <PanelRows
        rows={upcoming}
        rowKey={(fire) => `${fire.pipeline} ${fire.schedule} ${fire.at}`}
        empty="No schedule is going to fire."
        expected={5}
      >
        {(fire) => (
          <div className="flex items-baseline gap-2">
            <Link
              to="/pipelines/$name/$tab"
              params={{ name: fire.pipeline, tab: "settings" }}
              className="min-w-0 truncate hover:underline"
            >
              {fire.pipeline}
            </Link>
            {fire.schedule !== "schedule" && (
              <span className="min-w-0 truncate text-xs text-ink-3">{fire.schedule}</span>
            )}
            <Time at={fire.at} past="due" className="tabular ml-auto shrink-0 text-ink-2" />
          </div>
        )}
      </PanelRows>
    </Panel>
  );
}
