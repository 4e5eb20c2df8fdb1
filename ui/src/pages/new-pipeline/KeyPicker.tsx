import { ChevronDown } from "lucide-react";
import { Popover } from "radix-ui";
import { useId } from "react";
import { Checkbox } from "../../components/Checkbox";
import { CONTROL } from "../../components/field-context";
import { classes } from "../../components/classes";

interface KeyPickerProps {
  /** The key that the source tells. */
  own: readonly string[];
  /** The key that was chosen in its place. */
  value: string[] | undefined;
  columns: readonly string[];
  /** The mode goes by the key. */
  isNeeded: boolean;
  onChange: (key: string[]) => void;
}

/** The columns that name a row: the source's own key, unless others are chosen. */
export function KeyPicker({ own, value, columns, isNeeded, onChange }: KeyPickerProps) {
  const label = useId();
  const chosen = value && value.length > 0 ? value : own;
  const isOwn = !value || value.length === 0;
  const toggle = (column: string, isOn: boolean) => {
    const next = columns.filter((name) => (name === column ? isOn : chosen.includes(name)));
    const isSame = next.length === own.length && next.every((name) => own.includes(name));
    onChange(isSame ? [] : next);
  };
  const words = chosen.length > 0 ? chosen.join(", ") + (isOwn ? " (the source's)" : "") : "None";
  return (
    <div>
      <p id={label} className="mb-1 flex items-baseline gap-2 font-medium">
        Key
        {!isNeeded && <span className="text-xs font-normal text-ink-3">not needed for this mode</span>}
      </p>
      <Popover.Root>
        <Popover.Trigger asChild>
          <button
            type="button"
            aria-labelledby={label}
            aria-description={words}
            className={classes(
              CONTROL,
              "relative h-8 truncate pr-7 text-left",
              !isNeeded && chosen.length === 0 && "text-ink-3",
            )}
          >
            {words}
            <ChevronDown className="absolute top-2.5 right-2 size-3.5 text-ink-3" aria-hidden />
          </button>
        </Popover.Trigger>
        <Popover.Portal>
          <Popover.Content
            align="start"
            sideOffset={4}
            collisionPadding={8}
            className="z-50 max-h-72 min-w-52 overflow-y-auto rounded border bg-raised p-2 shadow-overlay"
          >
            <p className="px-1 pb-1 text-xs text-ink-2">Columns that together name a row</p>
            {columns.map((column) => (
              <div key={column} className="px-1">
                <Checkbox checked={chosen.includes(column)} onCheckedChange={(isOn) => toggle(column, isOn)}>
                  {column}
                </Checkbox>
              </div>
            ))}
          </Popover.Content>
        </Popover.Portal>
      </Popover.Root>
    </div>
  );
}
