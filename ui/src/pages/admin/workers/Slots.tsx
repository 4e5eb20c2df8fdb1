interface SlotsProps {
  used: number;
  all: number;
  /** What they are slots of. */
  label: string;
}

/** How many of some slots are held: a bar with the figures. */
export function Slots({ used, all, label }: SlotsProps) {
  const part = all > 0 ? Math.min(1, used / all) : 0;
  return (
    <span className="flex items-center gap-2">
      <span
        role="img"
        aria-label={`${label}: ${used} of ${all} slots held`}
        className="h-1.5 w-20 overflow-hidden rounded-full bg-line"
      >
        <span
          className={part >= 1 ? "block h-full bg-warn" : "block h-full bg-accent"}
          style={{ width: `${part * 100}%` }}
        />
      </span>
      <span className="tabular text-xs whitespace-nowrap text-ink-2">
        {used} of {all}
      </span>
    </span>
  );
}
