/** A row of a table: values by the names of the columns. */
export type Row = Record<string, unknown>;

/** What a row is after a change: references that were expanded stay so where they are the same. */
export function merged(before: Row, now: Row): Row {
  return Object.fromEntries(
    Object.entries({ ...before, ...now }).map(([column, value]) => {
      const known = before[column];
      const isSame = isRow(known) && !isRow(value) && Object.values(known).includes(value);
      return [column, isSame ? known : value];
    }),
  );
}

/** Whether two lists have the same rows in the same places, whatever their values are. */
export function hasSameRows(some: readonly Row[], others: readonly Row[], key: string): boolean {
  return some.length === others.length && some.every((row, place) => row[key] === others[place]?.[key]);
}

export function isRow(value: unknown): value is Row {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
