import { Link } from "@tanstack/react-router";
import type { LogLevel, RecentLine } from "../../api/model-logs";
import { plain } from "../../components/log/plain";
import { Status } from "../../components/Status";
import type { Column } from "../../components/table-columns";
import { Time } from "../../components/Time";
import { placeOf } from "./place-of";

/** How a level looks: as a state of the same weight. */
const STATES: Record<LogLevel, { state: string; word: string }> = {
  error: { state: "failed", word: "Error" },
  warn: { state: "retrying", word: "Warning" },
  info: { state: "queued", word: "Line" },
};

/** The lines: when, how serious, of what, and what they say. On a phone what they say stands below. */
export function columnsWith(isPhone: boolean): Column<RecentLine>[] {
  return [
    {
      id: "level",
      header: "Level",
      cell: ({ row: { original: line } }) => <Status {...STATES[line.level]} iconOnly={isPhone} />,
      meta: { width: isPhone ? "20px" : "84px" },
    },
    {
      id: "of",
      header: isPhone ? "Line" : "Of",
      cell: ({ row: { original: line } }) => (
        <span className="flex flex-col leading-4">
          <Link {...placeOf(line)} tabIndex={-1} className="truncate hover:underline">
            <span className="font-medium">{line.pipeline}</span>{" "}
            <span className="text-xs text-ink-2">
              {line.task}
              {line.item != null && `, item ${line.item + 1}`}, run {line.run}
            </span>
          </Link>
          {isPhone && <Text line={line} />}
        </span>
      ),
      meta: { width: isPhone ? "minmax(0, 1fr)" : "minmax(140px, 1fr)" },
    },
    {
      id: "text",
      header: "Line",
      cell: ({ row: { original: line } }) => <Text line={line} />,
      meta: { width: "minmax(0, 2.4fr)", hideBelow: "sm" },
    },
    {
      id: "at",
      header: "When",
      cell: ({ row: { original: line } }) => <Time at={line.at} className="text-ink-2" />,
      meta: { width: "84px", align: "right" },
    },
  ];
}

function Text({ line }: { line: RecentLine }) {
  const text = plain(line.text);
  return (
    <span className="truncate font-mono text-xs" title={text}>
      {text}
    </span>
  );
}
