import { useMemo, useState } from "react";
import type { Hour } from "../../api/model";
import { Chart } from "../../components/Chart";
import { Panel } from "../../components/Panel";
import { Skeleton } from "../../components/Skeleton";
import { bytes, compact, count } from "../../format/numbers";

const HEIGHT = 180;

/** Rows and bytes moved in each hour of the last day. */
export function MovedPanel({ hours }: { hours: Hour[] | undefined }) {
  const [hovered, setHovered] = useState<number | null>(null);
  const chart = useMemo(
    () =>
      hours && {
        times: hours.map((hour) => Date.parse(hour.from)),
        series: [
          {
            label: "Rows",
            colour: "accent",
            values: hours.map((hour) => hour.rows),
            format: compact,
            isBars: true,
          },
          { label: "Bytes", colour: "warn", values: hours.map((hour) => hour.bytes), format: bytes },
        ],
      },
    [hours],
  );
  const shown = hovered === null ? undefined : hours?.[hovered];
  return (
    <Panel
      title="Moved per hour"
      aside={hours && <Figures hours={shown ? [shown] : hours} isHour={Boolean(shown)} />}
    >
      {chart ? (
        <Chart
          label="Rows and bytes moved in each hour of the last day"
          height={HEIGHT}
          onHover={setHovered}
          {...chart}
        />
      ) : (
        <div className="p-3" style={{ height: HEIGHT }}>
          <Skeleton className="h-full w-full" />
        </div>
      )}
    </Panel>
  );
}

function Figures({ hours, isHour }: { hours: Hour[]; isHour: boolean }) {
  const rows = hours.reduce((sum, hour) => sum + hour.rows, 0);
  const size = hours.reduce((sum, hour) => sum + hour.bytes, 0);
  const from =
    hours[0] &&
    new Date(hours[0].from).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
  return (
    <span className="tabular flex items-center gap-3">
      <span className="max-sm:hidden">{isHour ? `from ${from}` : "in 24 h"}</span>
      <span className="flex items-center gap-1.5">
        <span className="size-2 rounded-[2px] bg-accent" aria-hidden />
        {isHour ? count(rows) : compact(rows)} rows
      </span>
      <span className="flex items-center gap-1.5">
        <span className="h-0.5 w-2.5 bg-warn" aria-hidden />
        {bytes(size)}
      </span>
    </span>
  );
}
