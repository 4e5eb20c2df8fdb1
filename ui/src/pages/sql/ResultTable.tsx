import { useMemo } from "react";
import type { QueryAnswer } from "../../api/model";
import { DataTable } from "../../components/DataTable";
import { EmptyState } from "../../components/EmptyState";
import type { Column } from "../../components/table-columns";
import { isNumeric } from "../../format/stream-tree";

interface Line {
  index: number;
  values: (string | null)[];
}

/** Room for a column, in px. */
const WIDE = 160;
const NARROW = 112;

/** The rows of an answer; texts as they are, and null apart from what is empty. */
export function ResultTable({ answer }: { answer: QueryAnswer }) {
  const columns = useMemo(() => columnsOf(answer), [answer]);
  const lines = useMemo(() => answer.rows.map((values, index): Line => ({ index, values })), [answer]);
  if (answer.rows.length === 0)
    return (
      <EmptyState title="The answer has no rows">
        Its columns: {answer.columns.map(({ name }) => name).join(", ")}
      </EmptyState>
    );
  const width = answer.columns.reduce((sum, column) => sum + widthOf(column.type) + 12, 36);
  return (
    <DataTable
      label="Result"
      columns={columns}
      rows={lines}
      rowKey={({ index }) => String(index)}
      rowHeight={28}
      minWidth={width}
      empty={null}
    />
  );
}

function columnsOf({ columns }: QueryAnswer): Column<Line>[] {
  return columns.map((column, at): Column<Line> => {
    const isRight = isNumeric(column.type);
    return {
      id: String(at),
      header: () => (
        <span title={`${column.name}: ${column.type}`}>
          {column.name} <span className="font-mono text-2xs font-normal text-ink-3">{column.type}</span>
        </span>
      ),
      cell: ({ row: { original } }) => <Value value={original.values[at] ?? null} />,
      meta: {
        width: `minmax(${widthOf(column.type)}px, 1fr)`,
        ...(isRight && { align: "right" as const }),
      },
    };
  });
}

function widthOf(type: string): number {
  return isNumeric(type) || type === "bool" || type === "date" ? NARROW : WIDE;
}

function Value({ value }: { value: string | null }) {
  if (value === null) return <span className="font-mono text-xs text-ink-3 italic">null</span>;
  return (
    <span title={value.length > 20 ? value : undefined} className="font-mono text-xs whitespace-pre">
      {value}
    </span>
  );
}
