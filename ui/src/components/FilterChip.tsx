import { X } from "lucide-react";

interface FilterChipProps {
  name: string;
  value: string;
  onRemove: () => void;
}

/** A filter that came with a link; it can be taken away. */
export function FilterChip({ name, value, onRemove }: FilterChipProps) {
  return (
    <span className="inline-flex h-8 max-w-full items-center gap-1 rounded border border-accent bg-accent-soft pl-2.5 text-sm">
      <span className="truncate">
        {name}: {value}
      </span>
      <button
        type="button"
        aria-label={`Any ${name.toLowerCase()}`}
        onClick={onRemove}
        className="flex size-7 shrink-0 items-center justify-center rounded-sm text-ink-2 hover:text-ink"
      >
        <X className="size-3.5" aria-hidden />
      </button>
    </span>
  );
}
