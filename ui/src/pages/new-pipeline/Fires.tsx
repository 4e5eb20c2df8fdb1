import { useQuery } from "@tanstack/react-query";
import { ApiError, messageOf } from "../../api/error";
import { firesOptions } from "../../api/queries/new-pipeline";
import { Callout } from "../../components/Callout";
import { Skeleton } from "../../components/Skeleton";
import { Time } from "../../components/Time";
import { useDebounced } from "../../components/use-debounced";
import { exact } from "../../format/durations";
import { scheduleDocument, timesInWords, type ScheduleDraft } from "./schedule";

/** The next fires of a schedule, on the clock of whoever looks. */
export function Fires({ schedule }: { schedule: ScheduleDraft }) {
  const settled = useDebounced(schedule, 300);
  const { data, error, isPending } = useQuery(firesOptions(scheduleDocument(settled)));
  return (
    <section aria-labelledby="next-fires" className="self-start rounded-lg border" aria-live="polite">
      <h3 id="next-fires" className="border-b px-3 py-2 font-semibold">
        {timesInWords(settled)}
      </h3>
      {error ? (
        <div className="p-3">
          <Callout tone="fail">{wordsOf(error)}</Callout>
        </div>
      ) : isPending ? (
        <div className="flex flex-col gap-3 p-3">
          {Array.from({ length: 5 }, (_, row) => (
            <Skeleton key={row} className="h-4 w-full" />
          ))}
        </div>
      ) : data.fires.length === 0 ? (
        <p className="p-3 text-ink-2">It never fires again.</p>
      ) : (
        <ol>
          {data.fires.map((fire) => (
            <li key={fire.utc} className="flex items-baseline gap-3 border-b px-3 py-1.5 last:border-0">
              <span className="tabular grow">
                {weekday(fire.utc)} {exact(Date.parse(fire.utc))}
              </span>
              <Time at={fire.utc} className="text-xs whitespace-nowrap text-ink-3" />
            </li>
          ))}
        </ol>
      )}
      <p className="border-t px-3 py-1.5 text-xs text-ink-3">
        In your time zone, {Intl.DateTimeFormat().resolvedOptions().timeZone}.
      </p>
    </section>
  );
}

function wordsOf(error: unknown): string {
  const [mistake] = error instanceof ApiError ? error.mistakes : [];
  return mistake ? `${capital(mistake.message)}. ${mistake.advice}` : messageOf(error);
}

function weekday(at: string): string {
  return new Intl.DateTimeFormat("en-GB", { weekday: "short" }).format(Date.parse(at));
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
