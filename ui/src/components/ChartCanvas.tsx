import { useEffect, useRef } from "react";
import Plot from "uplot";
import "uplot/dist/uPlot.min.css";
import { exact } from "../format/durations";
import { resolved } from "./resolved-colour";
import { useIsDark } from "./theme";

export interface ChartSeries {
  label: string;
  /** The name of a colour token: `accent`, `run`, `fail`. */
  colour: string;
  values: (number | null)[];
  format: (value: number) => string;
  /** Bars instead of a line. */
  isBars?: boolean;
}

export interface ChartProps {
  /** What it shows, for screen readers. */
  label: string;
  /** Instants in ms. */
  times: number[];
  /** One or two; the second has its own scale at the right. */
  series: ChartSeries[];
  height: number;
  onHover?: (index: number | null) => void;
}

/** Draws a chart with uPlot, anew when the theme or the size changes. */
export default function ChartCanvas({ label, times, series, height, onHover }: ChartProps) {
  const host = useRef<HTMLDivElement>(null);
  const isDark = useIsDark();

  useEffect(() => {
    const element = host.current;
    if (!element) return undefined;
    const colour = (name: string) => resolved(element, name);
    const axis = { stroke: colour("ink-3"), font: "11px system-ui, sans-serif", ticks: { show: false } };
    const grid = { stroke: colour("line"), width: 1 };
    const bars = Plot.paths.bars?.({ size: [0.7, 40], radius: 0.15 });
    const plot = new Plot(
      {
        width: element.clientWidth,
        height,
        padding: [12, 8, 0, 4],
        legend: { show: false },
        cursor: { y: false, drag: { x: false }, points: { size: 6 } },
        scales: {
          x: { time: true, range: (self) => [edge(self, 0), edge(self, -1)] },
          ...Object.fromEntries(series.map((_, index) => [`y${index}`, { range: fromZero }])),
        },
        axes: [
          { ...axis, grid: { show: false }, space: 64, size: 28, values: (_plot, ticks) => ticks.map(clock) },
          ...series.map((one, index) => ({
            ...axis,
            scale: `y${index}`,
            side: index === 0 ? 3 : 1,
            size: 56,
            space: 36,
            grid: index === 0 ? grid : { show: false },
            values: (_plot: Plot, ticks: number[]) => ticks.map(one.format),
          })),
        ],
        series: [
          {},
          ...series.map((one, index) => ({
            label: one.label,
            scale: `y${index}`,
            stroke: colour(one.colour),
            width: one.isBars ? 0 : 1.5,
            ...(one.isBars && bars ? { fill: colour(one.colour), paths: bars } : {}),
            points: { show: false },
          })),
        ],
        hooks: { setCursor: [(self) => onHover?.(self.cursor.idx ?? null)] },
      },
      [times.map((time) => time / 1000), ...series.map((one) => one.values)],
      element,
    );
    const resize = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height }));
    resize.observe(element);
    return () => {
      resize.disconnect();
      plot.destroy();
    };
  }, [times, series, height, isDark, onHover]);

  return (
    <figure aria-label={label} className="relative m-0">
      <div ref={host} aria-hidden style={{ height }} />
      <div className="sr-only">
        <table>
          <caption>{label}</caption>
          <tbody>
            {times.map((time, row) => (
              <tr key={time}>
                <th scope="row">{exact(time)}</th>
                {series.map((one) => (
                  <td key={one.label}>
                    {one.label}: {one.format(one.values[row] ?? 0)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </figure>
  );
}

/** The first and the last instant, with room for half of a bar beyond. */
function edge(plot: Plot, at: 0 | -1): number {
  const times = plot.data[0];
  const step = (times[1] ?? 0) - (times[0] ?? 0);
  return (times.at(at) ?? 0) + (at === 0 ? -step / 2 : step / 2);
}

function fromZero(_plot: Plot, _min: number, max: number): [number, number] {
  return [0, max > 0 ? max * 1.08 : 1];
}

function clock(seconds: number): string {
  return new Date(seconds * 1000).toLocaleTimeString([], {
    hour: "2-digit",
    minute: "2-digit",
    hour12: false,
  });
}
