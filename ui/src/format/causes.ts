import type { Cause } from "../api/model";

/** What a run was made by, in words. */
export const CAUSES: Record<Cause, string> = {
  manual: "By hand",
  schedule: "Schedule",
  trigger: "Trigger",
  backfill: "Backfill",
  pipeline: "Pipeline",
  retry: "Retry",
};
