import type { RecentLine } from "../../api/model-logs";

/** Where a line stands in the log of its run. */
export function placeOf({ run, task, item, attempt, number }: RecentLine) {
  return {
    to: "/runs/$id" as const,
    params: { id: String(run) },
    search: {
      task,
      ...(item != null && { item: String(item) }),
      attempt: String(attempt),
      part: "log",
      // people count from 1
      line: String(number + 1),
    },
  };
}
