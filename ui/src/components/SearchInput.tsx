import { Search, X } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { classes } from "./classes";
import { CONTROL } from "./field-context";
import { IconButton } from "./IconButton";
import { useDebounced } from "./use-debounced";

interface SearchInputProps {
  /** What is searched for; in the URL, mostly. */
  value: string;
  /** Called when typing rests. */
  onValueChange: (value: string) => void;
  /** What is searched: "Search pipelines". */
  label: string;
  className?: string;
}

/** Search as you type. The key `/` leads here from anywhere on the page. */
export function SearchInput({ value, onValueChange, label, className }: SearchInputProps) {
  const [typed, setTyped] = useState(value);
  const [known, setKnown] = useState(value);
  const input = useRef<HTMLInputElement>(null);
  const settled = useDebounced(typed);
  // a link or the history changed it
  if (value !== known) {
    setKnown(value);
    if (value !== settled) setTyped(value);
  }
  useEffect(() => {
    if (settled !== value && settled === typed) onValueChange(settled);
  }, [settled]);

  return (
    <div className={classes("relative", className)}>
      <Search className="pointer-events-none absolute top-2.5 left-2.5 size-3.5 text-ink-3" aria-hidden />
      <input
        ref={input}
        type="search"
        data-search
        value={typed}
        aria-label={label}
        placeholder={label}
        spellCheck={false}
        autoComplete="off"
        onChange={(event) => setTyped(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== "Escape") return;
          if (typed) setTyped("");
          else input.current?.blur();
        }}
        className={classes(CONTROL, "h-8 pr-7 pl-8 [&::-webkit-search-cancel-button]:hidden")}
      />
      {typed && (
        <IconButton
          icon={X}
          label="Clear"
          size="small"
          className="absolute top-1 right-1"
          onClick={() => {
            setTyped("");
            input.current?.focus();
          }}
        />
      )}
    </div>
  );
}
