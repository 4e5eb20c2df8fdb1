import { ChartLine, LoaderCircle, SquareTerminal } from "lucide-react";
import { useMemo, useState } from "react";
import { ApiError, messageOf } from "../../api/error";
import type { QueryAnswer } from "../../api/model";
import { Button } from "../../components/Button";
import { Callout } from "../../components/Callout";
import { EmptyState } from "../../components/EmptyState";
import { Kbd } from "../../components/Kbd";
import { useNow } from "../../components/use-now";
import { MOD } from "../../components/shell/use-shortcuts";
import { duration, elapsed } from "../../format/durations";
import { plural } from "../../format/numbers";
import { chartOf } from "./chart";
import { ChartOfAnswer } from "./ChartOfAnswer";
import { ResultTable } from "./ResultTable";
import type { QueryRun } from "./use-query-run";

/** What came of a query: its rows, what is wrong with it, or how long it is at work. */
export function Outcome({ run, hasConnections }: { run: QueryRun; hasConnections: boolean }) {
  switch (run.state) {
    case "none":
      return (
        <EmptyState icon={SquareTerminal} title="Nothing was asked yet">
          Write a query above and run it with <Kbd>{MOD}</Kbd> <Kbd>Enter</Kbd>. Streams are named{" "}
          <code className="font-mono text-xs">connection.stream</code>
          {hasConnections ? "." : ", and there is no connection yet: make one first."}
        </EmptyState>
      );
    case "running":
      return <Running since={run.since} />;
    case "cancelled":
      return <EmptyState title="Cancelled">The query was ended, and read no further.</EmptyState>;
    case "failed":
      return <Failed error={run.error} />;
    case "done":
      return <Answer answer={run.answer} />;
  }
}

function Answer({ answer }: { answer: QueryAnswer }) {
  const [isDrawn, setDrawn] = useState(false);
  const chart = useMemo(() => chartOf(answer), [answer]);
  const isChart = isDrawn && typeof chart !== "string";
  return (
    <section aria-label="Answer" className="flex min-h-0 grow flex-col">
      <div className="flex items-center gap-3 border-b px-4 py-1.5 sm:px-6">
        <p role="status" className="min-w-0 grow text-xs text-ink-2">
          {summaryOf(answer)}
        </p>
        <Button
          size="small"
          icon={ChartLine}
          aria-pressed={isChart}
          reason={typeof chart === "string" ? chart : undefined}
          onClick={() => setDrawn(!isDrawn)}
        >
          Chart
        </Button>
      </div>
      {isChart ? <ChartOfAnswer chart={chart} /> : <ResultTable answer={answer} />}
    </section>
  );
}

function Running({ since }: { since: number }) {
  const now = useNow(1000);
  return (
    <p className="flex items-center justify-center gap-2 px-4 py-12 text-ink-2">
      <LoaderCircle className="size-3.5 animate-spin" aria-hidden />
      <span role="status">Running</span>
      <span className="tabular">{elapsed(now - since)}</span>
    </p>
  );
}

function Failed({ error }: { error: unknown }) {
  const mistakes = error instanceof ApiError ? error.mistakes : [];
  return (
    <div className="px-4 py-3 sm:px-6">
      <Callout tone="fail" title="The query failed">
        {mistakes.length === 0
          ? messageOf(error)
          : mistakes.map(({ place, message, advice }) => (
              <p key={`${place.join()} ${message}`}>
                {place.length > 0 && <span className="font-medium">{place.join(": ")}: </span>}
                {message}. <span className="text-ink-2">{advice}</span>
              </p>
            ))}
      </Callout>
    </div>
  );
}

function summaryOf({ rows, cut, shortened, ms }: QueryAnswer): string {
  const shown =
    cut === null || cut === undefined
      ? `${plural(rows.length, "row")} in ${duration(ms)}`
      : `The first ${plural(rows.length, "row")} in ${duration(ms)}; there are more${cut === "bytes" ? ", which are too long to show here" : ""}. Export has all of them`;
  return shortened > 0 ? `${shown}. ${plural(shortened, "long text")} cut.` : `${shown}.`;
}
