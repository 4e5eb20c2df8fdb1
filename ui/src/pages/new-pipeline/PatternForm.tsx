import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { messageOf } from "../../api/error";
import { matchingOptions } from "../../api/queries/new-pipeline";
import { Button } from "../../components/Button";
import { Field } from "../../components/Field";
import { Input } from "../../components/Input";
import { useDebounced } from "../../components/use-debounced";
import { plural } from "../../format/numbers";
import { isPattern } from "../../format/stream-tree";

interface PatternFormProps {
  connection: string;
  chosen: ReadonlySet<string>;
  onAdd: (pattern: string) => void;
}

const NAMED_MAX = 3;

/** A pattern of streams, with those that it stands for now. */
export function PatternForm({ connection, chosen, onAdd }: PatternFormProps) {
  const [typed, setTyped] = useState("");
  const pattern = useDebounced(typed.trim(), 400);
  const { data, error, isFetching } = useQuery({
    ...matchingOptions(connection, pattern),
    enabled: isPattern(pattern),
  });
  const isSettled = pattern === typed.trim() && !isFetching;
  const mistake = !pattern
    ? undefined
    : !isPattern(pattern)
      ? "A pattern has a * for any characters, or a ? for one."
      : chosen.has(pattern)
        ? "This pattern is chosen already."
        : error
          ? messageOf(error)
          : data?.length === 0 && isSettled
            ? "No stream matches it."
            : undefined;
  const names = (data ?? []).slice(0, NAMED_MAX).map((stream) => stream.stream);
  const more = (data?.length ?? 0) - names.length;
  const isReady = isSettled && (data?.length ?? 0) > 0 && !mistake;

  return (
    <form
      className="border-b bg-sunken px-3 py-2.5"
      onSubmit={(event) => {
        event.preventDefault();
        if (isReady) onAdd(pattern);
      }}
    >
      <Field
        label="Pattern"
        error={mistake}
        hint={
          isReady
            ? `Now ${plural(data?.length ?? 0, "stream")}: ${names.join(", ")}${more > 0 ? ` and ${more} more` : ""}. What comes later and matches is loaded too.`
            : "Such as public.dim_* or 2026/*.csv. What comes later and matches is loaded too."
        }
      >
        <Input
          autoFocus
          value={typed}
          spellCheck={false}
          autoComplete="off"
          onChange={(event) => setTyped(event.target.value)}
        />
      </Field>
      <Button type="submit" size="small" className="mt-2" busy={isFetching} disabled={!isReady}>
        Add the pattern
      </Button>
    </form>
  );
}
