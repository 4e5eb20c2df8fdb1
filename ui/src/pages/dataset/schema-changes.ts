import type { DatasetSchema } from "../../api/model";

export interface SchemaChange {
  kind: "added" | "removed" | "changed";
  column: string;
  /** Its type; of one that changed, before and after. */
  type: string;
}

/** What became other from one version of the columns to the next; of the first one nothing. */
export function changesBetween(before: DatasetSchema | undefined, after: DatasetSchema): SchemaChange[] {
  if (!before) return [];
  const known = new Map(before.columns.map((column) => [column.name, told(column)]));
  const now = new Set(after.columns.map((column) => column.name));
  const changes = after.columns.flatMap((column): SchemaChange[] => {
    const [old, type] = [known.get(column.name), told(column)];
    if (old === undefined) return [{ kind: "added", column: column.name, type }];
    return old === type ? [] : [{ kind: "changed", column: column.name, type: `${old} to ${type}` }];
  });
  const removed = before.columns
    .filter((column) => !now.has(column.name))
    .map((column): SchemaChange => ({ kind: "removed", column: column.name, type: told(column) }));
  return [...changes, ...removed];
}

function told(column: DatasetSchema["columns"][number]): string {
  return `${column.type}${column.nullable ? "" : ", never null"}${column.key ? ", key" : ""}`;
}
