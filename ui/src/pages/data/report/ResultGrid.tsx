import { useMemo } from "react";
import type { Row } from "../../../api/data";
import { DataTable } from "../../../components/DataTable";
import { EmptyState } from "../../../components/EmptyState";
import type { Column } from "../../../components/table-columns";
import { count } from "../../../format/numbers";
import { textOf } from "../values";

interface ResultGridProps {
  label: string;
  rows: Row[] | undefined;
  error: unknown;
  onRetry: () => void;
}

/** The answer to a query. The columns are those of its first row. */
export function ResultGrid({ label, rows, error, onRetry }: ResultGridProps) {
  const columns = useMemo(() => columnsOf(rows), [rows]);
  const numbered = useMemo(() => rows?.map((row, index) => ({ row, index })), [rows]);
  if (rows?.length === 0)
    return <EmptyState title="The answer has no rows">Nothing is like that in the database.</EmptyState>;
  return (
    <DataTable
      label={label}
      columns={columns}
      rows={numbered}
      rowKey={({ index }) => String(index)}
      rowHeight={32}
      error={error}
      onRetry={onRetry}
      empty={null}
    />
  );
}

interface Numbered {
  row: Row;
  index: number;
}

function columnsOf(rows: Row[] | undefined): Column<Numbered>[] {
  // one stands in while rows are read
  const names = Object.keys(rows?.[0] ?? { reading: "" });
  return names.map((name) => {
    const isNumber = rows?.some((row) => typeof row[name] === "number") ?? false;
    return {
      id: name,
      header: rows ? name : "",
      cell: ({ row: { original } }) => {
        const value = original.row[name];
        if (value === null || value === undefined) return <span className="text-ink-3">none</span>;
        return typeof value === "number" ? count(value) : <span title={textOf(value)}>{textOf(value)}</span>;
      },
      meta: isNumber
        ? { width: "minmax(48px, 1fr)", align: "right" as const }
        : { width: "minmax(96px, 2fr)" },
    };
  });
}
