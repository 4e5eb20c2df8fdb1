const PLACE = "levada.sql";
/** Longer queries stay out of the address, which has an end. */
const ADDRESS_MAX = 4_000;

/** The query that was run last in this browser. */
export function lastQuery(): string {
  try {
    return localStorage.getItem(PLACE) ?? "";
  } catch {
    return "";
  }
}

/** Keeps a query for the next visit, where the browser lets it. */
export function keepQuery(sql: string): void {
  try {
    localStorage.setItem(PLACE, sql);
  } catch {
    // a browser that keeps nothing loses no more than that
  }
}

/** The query as the address of the page has it; none if it is too long for one. */
export function inAddress(sql: string): string | undefined {
  return sql.length <= ADDRESS_MAX ? sql : undefined;
}
