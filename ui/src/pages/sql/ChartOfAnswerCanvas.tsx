import { useEffect, useRef } from "react";
import Plot from "uplot";
import "uplot/dist/uPlot.min.css";
import { resolved } from "../../components/resolved-colour";
import { useIsDark } from "../../components/theme";
import { compact, plural } from "../../format/numbers";
import type { AnswerChart } from "./chart";

const HEIGHT = 280;
/** One for each line, in the order of the columns. */
const COLOURS = ["accent", "warn", "fail", "ok"];
const DAY_S = 86_400;

/** Draws an answer with uPlot, anew when the theme or the size changes. The table has the same rows for everybody else. */
export default function ChartOfAnswerCanvas({ chart }: { chart: AnswerChart }) {
  const host = useRef<HTMLDivElement>(null);
  const isDark = useIsDark();
  const { x, series, leftOut } = chart;

  useEffect(() => {
    const element = host.current;
    if (!element) return undefined;
    const colour = (name: string) => resolved(element, name);
    const axis = { stroke: colour("ink-3"), font: "11px system-ui, sans-serif", ticks: { show: false } };
    const plot = new Plot(
      {
        width: element.clientWidth,
        height: HEIGHT,
        padding: [12, 16, 0, 4],
        legend: { show: false },
        cursor: { y: false, drag: { x: false } },
        scales: { x: { time: false } },
        axes: [
          { ...axis, grid: { show: false }, space: 80, size: 28, values: (_, at) => labels(x, at) },
          {
            ...axis,
            size: 64,
            space: 36,
            grid: { stroke: colour("line"), width: 1 },
            values: (_, at) => at.map(compact),
          },
        ],
        series: [
          {},
          ...series.map(({ name }, at) => ({
            label: name,
            stroke: colour(COLOURS[at] ?? "ink"),
            width: 1.5,
            points: { show: x.values.length <= 100, size: 5 },
          })),
        ],
      },
      [x.values, ...series.map(({ values }) => values)],
      element,
    );
    const resize = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: HEIGHT }));
    resize.observe(element);
    return () => {
      resize.disconnect();
      plot.destroy();
    };
  }, [x, series, isDark]);

  const names = series.map(({ name }) => name);
  return (
    <figure aria-label={`${names.join(", ")} by ${x.name}`} className="m-0 px-4 py-3 sm:px-6">
      <figcaption className="flex flex-wrap gap-x-4 text-xs text-ink-2">
        {names.map((name, at) => (
          <span key={name} className="flex items-center gap-1.5">
            <span
              className="h-0.5 w-4"
              style={{ background: `var(--${COLOURS[at] ?? "ink"})` }}
              aria-hidden
            />
            {name}
          </span>
        ))}
        <span className="ml-auto">
          by {x.name}
          {leftOut > 0 && `; ${plural(leftOut, "row")} without a place left out`}
        </span>
      </figcaption>
      <div ref={host} aria-hidden style={{ height: HEIGHT }} />
    </figure>
  );
}

/** What stands below at some places: instants in UTC, as the values are. */
function labels(x: AnswerChart["x"], places: number[]): string[] {
  const isDays = places.every((place) => place % DAY_S === 0);
  return places.map((place) => {
    if (x.kind === "number") return compact(place);
    if (x.kind === "time") {
      const text = new Date(place * 1000).toISOString();
      return isDays ? text.slice(0, 10) : text.slice(5, 16).replace("T", " ");
    }
    const at = x.values.indexOf(place);
    return at < 0 ? "" : (x.words[at] ?? "").slice(0, 16);
  });
}
