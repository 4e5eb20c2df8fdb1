import type { LinkProps } from "@tanstack/react-router";
import type { Collection, Report, Role } from "../../api/model";

/** Something that the data API serves. */
export interface Served {
  kind: "collection" | "report";
  name: string;
  description: string | null | undefined;
  path: string;
  connection: string;
  /** What it has: columns or parameters. */
  size: number;
  /** The roles to read, write and delete; a report is only read. */
  read: Role;
  write?: Role;
  delete?: Role;
}

export function servedOf(collections: Collection[], reports: Report[]): Served[] {
  return [
    ...collections.map((one): Served => ({
      ...one,
      kind: "collection",
      description: one.description,
      size: one.columns.length,
    })),
    ...reports.map((one): Served => ({
      kind: "report",
      name: one.name,
      description: one.description,
      path: one.path,
      connection: one.connection,
      size: one.params.length,
      read: one.access,
    })),
  ];
}

/** The page of it. */
export function linkOf({ kind, name }: Pick<Served, "kind" | "name">): LinkProps {
  return kind === "collection"
    ? { to: "/data/$collection", params: { collection: name } }
    : { to: "/data/reports/$report", params: { report: name } };
}

export function matches(served: Served, text: string): boolean {
  const wanted = text.trim().toLowerCase();
  return [served.name, served.path, served.connection, served.description ?? ""].some((part) =>
    part.toLowerCase().includes(wanted),
  );
}

/** Who may do what, in few words: `viewer reads, editor changes, admin deletes`. */
export function accessWords({
  read,
  write,
  delete: remove,
}: Pick<Served, "read" | "write" | "delete">): string {
  if (!write) return `${read} reads`;
  if (remove === write || !remove) return `${read} reads, ${write} changes`;
  return `${read} reads, ${write} changes, ${remove} deletes`;
}
