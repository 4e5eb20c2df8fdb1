interface ProgressBarProps {
  value: number;
  max: number;
  label: string;
}

/** How much of something is done, or taken. */
export function ProgressBar({ value, max, label }: ProgressBarProps) {
  const part = max > 0 ? Math.min(1, value / max) : 0;
  return (
    <div
      role="progressbar"
      aria-label={label}
      aria-valuenow={value}
      aria-valuemin={0}
      aria-valuemax={max}
      className="h-1.5 overflow-hidden rounded-full bg-line"
    >
      <div
        className="h-full rounded-full bg-accent transition-[width] duration-300"
        style={{ width: `${part * 100}%` }}
      />
    </div>
  );
}
