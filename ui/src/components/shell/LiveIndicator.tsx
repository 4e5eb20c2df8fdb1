import type { LiveState } from "../../api/live";
import { useLiveState } from "../../api/use-live";
import { classes } from "../classes";
import { Tooltip } from "../Tooltip";

const LOOKS: Record<LiveState, { word: string; dot: string; says: string }> = {
  connected: { word: "Live", dot: "bg-ok", says: "What you see changes as it happens." },
  connecting: {
    word: "Connecting",
    dot: "bg-warn animate-slow-pulse",
    says: "The connection to the server is being opened.",
  },
  waiting: {
    word: "Reconnecting",
    dot: "bg-fail animate-slow-pulse",
    says: "The connection to the server is lost. It is tried again by itself, and nothing will be missed.",
  },
  closed: { word: "Not live", dot: "bg-field-line", says: "Nothing is listened to." },
};

/** Whether what is shown is up to date. */
export function LiveIndicator() {
  const state = useLiveState();
  const { word, dot, says } = LOOKS[state];
  return (
    <Tooltip text={says} side="bottom">
      <button
        type="button"
        className="flex h-8 cursor-default items-center gap-1.5 rounded px-2 text-xs text-ink-2"
        aria-label={`${word}. ${says}`}
      >
        <span className={classes("size-2 rounded-full", dot)} aria-hidden />
        {/* where there is little room, the dot stands for its most usual meaning only */}
        <span className={state === "connected" ? "max-lg:sr-only" : undefined}>{word}</span>
      </button>
    </Tooltip>
  );
}
