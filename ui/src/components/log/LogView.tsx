import {
  ArrowDownToLine,
  ChevronDown,
  ChevronUp,
  Download,
  ListFilter,
  ScrollText,
  WrapText,
} from "lucide-react";
import { useEffect, useMemo, useState, type KeyboardEvent } from "react";
import type { LogOf } from "../../api/model-logs";
import { logAddress } from "../../api/queries/logs";
import { count as counted, plural } from "../../format/numbers";
import { classes } from "../classes";
import { CONTROL } from "../field-context";
import { EmptyState } from "../EmptyState";
import { ErrorState } from "../ErrorState";
import { IconButton } from "../IconButton";
import { Select } from "../Select";
import { Skeleton } from "../Skeleton";
import { isAsked, TEXT_MAX, type Found, type LogQuery } from "./log-search";
import { LogRows } from "./LogRows";
import { useLog, type Rows } from "./use-log";
import { useLogSearch } from "./use-log-search";

interface LogViewProps {
  log: LogOf;
  /** The task run whose new lines are to be followed; null if there will be none. */
  follows: number | null;
  /** The number of a line to show, from 0. */
  line: number | null;
  onLineChange: (line: number) => void;
  /** Opens at the last lines, where it says what went wrong. */
  startsAtEnd?: boolean;
  /** What stands in for an empty log. */
  empty: string;
}

const KINDS_OF_LINES = [
  { value: "", label: "All lines" },
  { value: "error", label: "Errors" },
  { value: "warn", label: "Warnings and errors" },
  { value: "err", label: "Standard error" },
  { value: "sys", label: "Levada's own" },
];
const MARKS_MAX = 200;
/** Matches before the last known one at which more are asked for. */
const MORE_AHEAD = 50;

/** A log: of any length, as it is written, with search, levels, and a link to each line. */
export function LogView({ log, follows, line, onLineChange, startsAtEnd, empty }: LogViewProps) {
  const [query, setQuery] = useState<LogQuery>({ text: "", lines: "" });
  const [isWrapped, setWrapped] = useState(() => localStorage.getItem("levada.log.wrap") === "yes");
  const [onlyFound, setOnlyFound] = useState(false);
  const [isFollowing, setFollowing] = useState(line === null && (follows !== null || startsAtEnd === true));
  const [target, setTarget] = useState<{ index: number; asked: number } | null>(null);
  const [place, setPlace] = useState(0);
  const { found, error: searchError, look, more } = useLogSearch(log, query);
  const state = useLog(log, follows, look);
  const { count } = state;
  const asks = isAsked(query);
  const isFiltered = asks && onlyFound;

  const show = (index: number) => setTarget((before) => ({ index, asked: (before?.asked ?? 0) + 1 }));
  const isThere = line !== null && count > 0;
  useEffect(() => {
    if (isThere && line < count && target === null) show(line);
  }, [isThere]);
  const matches = found?.lines;
  const step = (by: 1 | -1) => {
    if (!matches?.length) return;
    const isAtLast = place + by >= matches.length;
    if (place + by >= matches.length - MORE_AHEAD) more();
    // the first match does not follow the last one that is known, unless that is the last
    if (isAtLast && !found?.isDone) return;
    const next = (place + by + matches.length) % matches.length;
    setPlace(next);
    const match = matches[next];
    if (!match) return;
    onLineChange(match.number);
    show(isFiltered ? next : match.number);
  };
  useEffect(() => setPlace(-1), [query]);

  const rows = useMemo<Rows>(
    () =>
      isFiltered
        ? {
            count: matches?.length ?? 0,
            at: (index) => matches?.[index],
            ask: (_from, to) => {
              if (to >= (matches?.length ?? 0)) more();
            },
          }
        : state,
    [isFiltered, matches, more, state],
  );
  const marks = useMemo(
    () =>
      asks && !isFiltered && count > 0
        ? matches?.slice(0, MARKS_MAX).map((match) => match.number / count)
        : undefined,
    [asks, isFiltered, matches, count],
  );
  const wrap = () => {
    localStorage.setItem("levada.log.wrap", isWrapped ? "no" : "yes");
    setWrapped(!isWrapped);
  };
  const press = (event: KeyboardEvent) => {
    if (event.key === "Enter") step(event.shiftKey ? -1 : 1);
    else if (event.key === "Escape") setQuery({ ...query, text: "" });
    else return;
    event.preventDefault();
  };

  return (
    <div className="flex min-h-0 grow flex-col">
      <div className="flex flex-wrap items-center gap-1 border-b px-2 py-1.5">
        <input
          type="search"
          data-search
          value={query.text}
          aria-label="Search the log"
          placeholder="Search the log"
          spellCheck={false}
          maxLength={TEXT_MAX}
          onChange={(event) => setQuery({ ...query, text: event.target.value })}
          onKeyDown={press}
          className={classes(CONTROL, "h-7 w-auto min-w-28 grow basis-36")}
        />
        <Select
          aria-label="Lines"
          className="w-auto [&>select]:h-7 [&>svg]:top-2"
          value={query.lines}
          onValueChange={(lines) => setQuery({ ...query, lines: lines as LogQuery["lines"] })}
          options={KINDS_OF_LINES}
        />
        {asks && (
          <span className="flex items-center">
            <span role="status" className="tabular px-1 text-xs text-ink-2">
              {summary(found, place)}
            </span>
            <IconButton icon={ChevronUp} label="Match before" size="small" onClick={() => step(-1)} />
            <IconButton icon={ChevronDown} label="Next match" size="small" onClick={() => step(1)} />
            <IconButton
              icon={ListFilter}
              label={onlyFound ? "Show all lines" : "Show only matches"}
              aria-pressed={onlyFound}
              size="small"
              className={onlyFound ? "bg-accent-soft text-accent" : undefined}
              onClick={() => {
                setOnlyFound(!onlyFound);
                setFollowing(false);
              }}
            />
          </span>
        )}
        <span className="ml-auto flex items-center">
          <span className="tabular px-1 text-xs whitespace-nowrap text-ink-3">{plural(count, "line")}</span>
          <IconButton
            icon={WrapText}
            label={isWrapped ? "Do not wrap lines" : "Wrap lines"}
            aria-pressed={isWrapped}
            size="small"
            className={isWrapped ? "bg-accent-soft text-accent" : undefined}
            onClick={wrap}
          />
          <IconButton
            icon={ArrowDownToLine}
            label={follows === null ? "Go to the end" : isFollowing ? "Following" : "Follow"}
            aria-pressed={follows === null ? undefined : isFollowing}
            size="small"
            className={follows !== null && isFollowing ? "bg-accent-soft text-accent" : undefined}
            onClick={() => setFollowing(true)}
          />
          <a
            href={logAddress(log)}
            download
            aria-label="Download the log"
            title="Download the log"
            className="inline-flex size-6 items-center justify-center rounded text-ink-2 hover:bg-hover hover:text-ink"
          >
            <Download className="size-3.5" aria-hidden />
          </a>
        </span>
      </div>
      {searchError !== null && asks ? (
        <ErrorState error={searchError} />
      ) : state.error !== null && count === 0 ? (
        <ErrorState error={state.error} onRetry={state.retry} />
      ) : state.isLoading ? (
        <div className="flex grow flex-col gap-2 bg-sunken p-3">
          <Skeleton className="h-3 w-3/5" />
          <Skeleton className="h-3 w-2/5" />
          <Skeleton className="h-3 w-1/2" />
        </div>
      ) : count === 0 ? (
        <div className="grow bg-sunken">
          <EmptyState icon={ScrollText} title={follows === null ? "Nothing was written" : "Nothing yet"}>
            {empty}
          </EmptyState>
        </div>
      ) : (
        <LogRows
          key={isFiltered ? "found" : "all"}
          rows={rows}
          label="Lines of the log"
          last={count}
          isWrapped={isWrapped}
          target={target}
          marked={line}
          needle={query.text}
          isFollowing={isFollowing && !isFiltered}
          onFollowingChange={setFollowing}
          onPick={onLineChange}
          {...(marks && { marks })}
        />
      )}
    </div>
  );
}

function summary(found: Found | null, place: number): string {
  if (!found) return "Searching";
  const known = found.lines.length;
  if (known === 0 && found.isDone) return "Nothing found";
  const matches = place < 0 ? counted(known) : `${counted(place + 1)} of ${counted(known)}`;
  return found.isDone ? matches : `${matches} in ${counted(found.looked)} lines`;
}
