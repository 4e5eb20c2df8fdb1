import { memo } from "react";
import type { LogLine } from "../../api/model-logs";
import { exact } from "../../format/durations";
import { classes } from "../classes";
import { plain } from "./plain";

interface LogLineRowProps {
  /** Undefined while it is read. */
  line: LogLine | undefined;
  digits: number;
  isWrapped: boolean;
  isMarked: boolean;
  needle: string;
  onPick: (line: number) => void;
}

const LEVELS = { error: "text-fail", warn: "text-warn", info: "" };

/** A line of a log with its number, which is a link to it. */
export const LogLineRow = memo(function LogLineRow({
  line,
  digits,
  isWrapped,
  isMarked,
  needle,
  onPick,
}: LogLineRowProps) {
  if (!line) return <div className="h-[18px]" />;
  const isOwn = line.stream === "sys";
  return (
    <div className={classes("flex hover:bg-hover", isMarked && "bg-accent-soft")}>
      <button
        type="button"
        tabIndex={-1}
        title={line.at ? exact(Date.parse(line.at)) : undefined}
        aria-label={`Line ${line.number + 1}`}
        onClick={() => onPick(line.number)}
        className={classes(
          "tabular sticky left-0 shrink-0 self-stretch bg-sunken flex items-start justify-end pr-3 pl-3 text-right text-ink-3 select-none hover:text-accent",
          isMarked && "bg-accent-soft text-accent",
        )}
        style={{ width: `calc(${digits}ch + 24px)` }}
      >
        {line.number + 1}
      </button>
      <span
        className={classes(
          "min-h-[18px] pr-4",
          isWrapped ? "wrap-anywhere whitespace-pre-wrap" : "whitespace-pre",
          LEVELS[line.level],
          isOwn && "text-ink-2 italic",
        )}
      >
        {marked(plain(line.text), needle)}
      </span>
    </div>
  );
});

/** The text with what was searched for standing out; case never counts. */
function marked(text: string, needle: string) {
  if (!needle) return text;
  const [heap, wanted] = [text.toLowerCase(), needle.toLowerCase()];
  const parts = [];
  let from = 0;
  for (let at = heap.indexOf(wanted); at >= 0; at = heap.indexOf(wanted, from)) {
    parts.push(
      text.slice(from, at),
      <mark key={at} className="rounded-[2px] bg-warn-soft text-ink outline outline-warn">
        {text.slice(at, at + needle.length)}
      </mark>,
    );
    from = at + needle.length;
  }
  return [...parts, text.slice(from)];
}
