import { useMemo } from "react";

/** The rows of which one of the texts holds what is searched for; lists that are short as a whole are searched here. */
export function useFiltered<T>(
  rows: T[] | undefined,
  search: string | undefined,
  textsOf: (row: T) => (string | null | undefined)[],
): T[] | undefined {
  return useMemo(() => {
    const wanted = search?.trim().toLowerCase();
    if (!wanted) return rows;
    return rows?.filter((row) => textsOf(row).some((text) => text?.toLowerCase().includes(wanted)));
  }, [rows, search]);
}
