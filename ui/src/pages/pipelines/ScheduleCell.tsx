import type { PipelineItem } from "../../api/model";
import { scheduleWords } from "../../format/schedule-words";

/** When a pipeline starts by itself. */
export function ScheduleCell({ schedules }: { schedules: PipelineItem["schedules"] }) {
  const [first, ...others] = schedules;
  if (!first) return <span className="text-ink-3">By hand</span>;
  return (
    <span title={schedules.map(({ schedule, fires }) => `${schedule}: ${fires}`).join("\n")}>
      {scheduleWords(first.fires)}
      {others.length > 0 && <span className="text-ink-3"> and {others.length} more</span>}
    </span>
  );
}
