import {
  Ban,
  CircleCheck,
  CircleDashed,
  CirclePause,
  CirclePlay,
  CircleSlash,
  CircleX,
  TriangleAlert,
  type LucideIcon,
} from "lucide-react";
import type { Tone } from "../format/status";

/** The icon of each tone. */
export const TONE_ICONS: Record<Tone, LucideIcon> = {
  ok: CircleCheck,
  run: CirclePlay,
  wait: CircleDashed,
  warn: TriangleAlert,
  fail: CircleX,
  cancelled: Ban,
  skipped: CircleSlash,
  paused: CirclePause,
};

/** The colour of each tone, for text and icons. */
export const TONE_TEXT: Record<Tone, string> = {
  ok: "text-ok",
  run: "text-run",
  wait: "text-wait",
  warn: "text-warn",
  fail: "text-fail",
  cancelled: "text-wait",
  skipped: "text-wait",
  paused: "text-warn",
};

/** The colour of each tone, for areas: bars, dots, edges. */
export const TONE_FILL: Record<Tone, string> = {
  ok: "bg-ok",
  run: "bg-run",
  wait: "bg-field-line",
  warn: "bg-warn",
  fail: "bg-fail",
  cancelled: "bg-field-line",
  skipped: "bg-line-strong",
  paused: "bg-warn",
};

/** The soft ground of each tone. */
export const TONE_SOFT: Record<Tone, string> = {
  ok: "bg-ok-soft",
  run: "bg-run-soft",
  wait: "bg-wait-soft",
  warn: "bg-warn-soft",
  fail: "bg-fail-soft",
  cancelled: "bg-wait-soft",
  skipped: "bg-wait-soft",
  paused: "bg-warn-soft",
};
