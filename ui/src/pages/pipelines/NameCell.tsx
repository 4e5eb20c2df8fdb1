import { Link } from "@tanstack/react-router";
import type { PipelineItem } from "../../api/model";
import { Status } from "../../components/Status";
import { Tag } from "../../components/Tag";
import { breakpoint, useWidth } from "../../components/use-breakpoint";
import { ScheduleCell } from "./ScheduleCell";

const TAGS_SHOWN = 3;

/** The name, with its tags below it; in a narrow window with what has no column there: the schedule, the last run. */
export function NameCell({ pipeline }: { pipeline: PipelineItem }) {
  const { name, tags, description, last, paused, schedules } = pipeline;
  const width = useWidth();
  const isPhone = width === 0;
  return (
    <div className="flex min-w-0 flex-col gap-0.5">
      <Link
        to="/pipelines/$name/$tab"
        params={{ name, tab: "graph" }}
        tabIndex={-1}
        title={description ?? undefined}
        className="truncate font-medium hover:underline"
      >
        {name}
      </Link>
      <span className="flex min-w-0 items-center gap-1 text-xs">
        {isPhone && (
          <Status
            state={paused ? "paused" : (last?.state ?? "queued")}
            word={paused ? "Off" : last ? undefined : "Never ran"}
          />
        )}
        {tags.slice(0, TAGS_SHOWN).map((tag) => (
          <Tag key={tag}>{tag}</Tag>
        ))}
        {tags.length > TAGS_SHOWN && <span className="text-ink-3">+{tags.length - TAGS_SHOWN}</span>}
        {tags.length === 0 && !isPhone && <span className="truncate text-ink-3">{description}</span>}
      </span>
      {width < breakpoint("md") && (
        <span className="truncate text-xs text-ink-2">
          <ScheduleCell schedules={schedules} />
        </span>
      )}
    </div>
  );
}
