import { Link } from "@tanstack/react-router";
import type { Bar } from "../api/model";
import { duration, relative } from "../format/durations";
import { look } from "../format/status";
import { classes } from "./classes";
import { TONE_FILL } from "./status-icons";

interface RunBarsProps {
  /** The runs, the newest first. */
  runs: Bar[];
  /** Places; bars stand at the right. */
  places?: number;
}

const LEAST = 0.22;

/** The last runs of a pipeline as bars: the height is how long one took, the colour how it ended. Each leads to its run. */
export function RunBars({ runs, places = 20 }: RunBarsProps) {
  const shown = runs.slice(0, places).reverse();
  const longest = Math.max(1e-9, ...shown.map((run) => run.seconds ?? 0));
  return (
    <span className="ml-auto flex h-6 items-end justify-end gap-px" style={{ width: places * 6 - 1 }}>
      {shown.map((run) => {
        const { tone, word } = look(run.state);
        const took =
          run.seconds === null || run.seconds === undefined ? "" : `, ${duration(run.seconds * 1000)}`;
        const text = `Run ${run.id}: ${word.toLowerCase()}${took}, ${relative(Date.parse(run.created_at), Date.now())}`;
        const height = run.seconds ? LEAST + (1 - LEAST) * (run.seconds / longest) : LEAST;
        return (
          <Link
            key={run.id}
            to="/runs/$id"
            params={{ id: String(run.id) }}
            title={text}
            aria-label={text}
            tabIndex={-1}
            className="group flex h-full w-[5px] items-end"
          >
            <span
              className={classes(
                "block w-full rounded-[1px] group-hover:brightness-75",
                TONE_FILL[tone],
                tone === "run" && "animate-slow-pulse",
              )}
              style={{ height: `${Math.round((tone === "run" ? 1 : height) * 100)}%` }}
            />
          </Link>
        );
      })}
    </span>
  );
}
