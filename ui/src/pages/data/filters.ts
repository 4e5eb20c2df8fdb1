import { kindOf } from "./values";

/** A condition on a column, as in `salary[ge]=1000`. */
export interface ColumnFilter {
  column: string;
  operator: Operator;
  value: string;
}

export type Operator = "eq" | "ne" | "lt" | "le" | "gt" | "ge" | "in" | "starts_with" | "is_null";

/** How an operator reads between a column and a value. */
export const OPERATOR_WORDS: Record<Operator, string> = {
  eq: "is",
  ne: "is not",
  lt: "is less than",
  le: "is at most",
  gt: "is more than",
  ge: "is at least",
  in: "is one of",
  starts_with: "starts with",
  is_null: "has no value",
};

/** By what a column of a type can be filtered. */
export function operatorsOf(type: string): Operator[] {
  const kind = kindOf(type);
  if (kind === "json") return ["is_null"];
  if (kind === "boolean") return ["eq", "ne", "is_null"];
  const start: Operator[] = kind === "text" ? ["starts_with"] : [];
  return [...start, "eq", "ne", "ge", "gt", "le", "lt", "in", "is_null"];
}

/** The filters of an address. What is no filter of a known column is left out. */
export function filtersOf(
  search: Record<string, string | undefined>,
  columns: readonly { name: string }[],
): ColumnFilter[] {
  return Object.entries(search).flatMap(([name, value]) => {
    const [, column, operator] = /^(.+)\[([a-z_]+)\]$/.exec(name) ?? [];
    const isKnown =
      operator !== undefined && operator in OPERATOR_WORDS && columns.some((one) => one.name === column);
    return isKnown && column && value ? [{ column, operator: operator as Operator, value }] : [];
  });
}

/** The name of a filter in an address. */
export function filterName({ column, operator }: Pick<ColumnFilter, "column" | "operator">): string {
  return `${column}[${operator}]`;
}

/** A filter in words. */
export function filterWords({ operator, value }: ColumnFilter): string {
  if (operator === "is_null") return value === "false" ? "has a value" : "has no value";
  return `${OPERATOR_WORDS[operator]} ${value}`;
}

interface ListOptions {
  filters: ColumnFilter[];
  sort: string | undefined;
  expand: string[];
  withDeleted: boolean;
}

/** What a list is asked for, as the data API takes it. */
export function listQuery({ filters, sort, expand, withDeleted }: ListOptions): string {
  const query = new URLSearchParams();
  for (const filter of filters) query.append(filterName(filter), filter.value);
  if (sort) query.set("sort", sort);
  if (expand.length > 0) query.set("expand", expand.join(","));
  if (withDeleted) query.set("deleted", "true");
  return query.toString();
}
