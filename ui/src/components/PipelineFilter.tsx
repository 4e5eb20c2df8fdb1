import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useId, useState } from "react";
import { searchOptions } from "../api/queries/search";
import { classes } from "./classes";
import { CONTROL } from "./field-context";
import { useDebounced } from "./use-debounced";

interface PipelineFilterProps {
  value: string | undefined;
  onValueChange: (pipeline: string | undefined) => void;
}

/** Filters a list by one pipeline. Names are suggested while typing; Enter, or going on, takes what is typed. */
export function PipelineFilter({ value = "", onValueChange }: PipelineFilterProps) {
  const [typed, setTyped] = useState(value);
  const [known, setKnown] = useState(value);
  const list = useId();
  const { data } = useQuery({
    ...searchOptions(useDebounced(typed.trim())),
    placeholderData: keepPreviousData,
  });
  const names = data?.items.flatMap(({ kind, name }) => (kind === "pipeline" ? [name] : [])) ?? [];
  // a link or the history changed it
  if (value !== known) {
    setKnown(value);
    setTyped(value);
  }
  const take = (text: string) => {
    if (text !== value) onValueChange(text || undefined);
  };
  return (
    <span className="w-40">
      <input
        type="search"
        list={list}
        value={typed}
        aria-label="Pipeline"
        placeholder="Pipeline: any"
        spellCheck={false}
        autoComplete="off"
        onChange={({ target }) => {
          setTyped(target.value);
          // one of the suggestions, or none any more
          if (target.value === "" || names.includes(target.value)) take(target.value);
        }}
        onBlur={() => take(typed.trim())}
        onKeyDown={(event) => event.key === "Enter" && take(typed.trim())}
        className={classes(CONTROL, "h-8", value && "border-accent bg-accent-soft")}
      />
      <datalist id={list}>
        {names.map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
    </span>
  );
}
