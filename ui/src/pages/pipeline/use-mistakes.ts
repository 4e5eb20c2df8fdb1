import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { mistakesOptions } from "../../api/queries/documents";
import { useDebounced } from "../../components/use-debounced";
import { placed, type PlacedMistake } from "./places";

interface Mistakes {
  mistakes: PlacedMistake[];
  /** Whether what is told is about an earlier text. */
  isChecking: boolean;
  error: unknown;
}

const NONE: PlacedMistake[] = [];

/** What the server finds wrong with a text, soon after typing rests. */
export function useMistakes(pipeline: string, text: string, isOn = true): Mistakes {
  const settled = useDebounced(text, 350);
  const { data, error, isFetching } = useQuery({
    ...mistakesOptions(pipeline, settled),
    select: placed,
    enabled: isOn,
    placeholderData: keepPreviousData,
  });
  return { mistakes: (isOn && data) || NONE, isChecking: settled !== text || isFetching, error };
}
