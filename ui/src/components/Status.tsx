import { look } from "../format/status";
import { classes } from "./classes";
import { TONE_ICONS, TONE_SOFT, TONE_TEXT } from "./status-icons";

interface StatusProps {
  state: string;
  /** In place of the state's own word. */
  word?: string | undefined;
  /** As a badge with a ground, for headers. */
  badge?: boolean;
  /** The icon alone; the word is there for screen readers and on hover. */
  iconOnly?: boolean;
}

/** A state: colour, icon and word. */
export function Status({ state, word, badge, iconOnly }: StatusProps) {
  const { tone, word: own } = look(state);
  const Icon = TONE_ICONS[tone];
  const text = word ?? own;
  return (
    <span
      title={iconOnly ? text : undefined}
      className={classes(
        "inline-flex items-center gap-1.5 align-top whitespace-nowrap",
        TONE_TEXT[tone],
        badge && "h-6 rounded-full px-2 text-xs font-medium",
        badge && TONE_SOFT[tone],
      )}
    >
      <Icon className={classes("size-3.5 shrink-0", tone === "run" && "animate-slow-pulse")} aria-hidden />
      <span className={iconOnly ? "sr-only" : undefined}>{text}</span>
    </span>
  );
}
