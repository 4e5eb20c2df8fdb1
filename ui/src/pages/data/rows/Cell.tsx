import { Link } from "@tanstack/react-router";
import { isRow } from "../../../format/rows";
import type { Collection, CollectionColumn } from "../../../api/model";
import { exact } from "../../../format/durations";
import { kindOf, referenceKey, referenceLabel, textOf } from "../values";

interface CellProps {
  column: CollectionColumn;
  value: unknown;
  collections: Collection[];
}

/** A value in the grid. */
export function Cell({ column, value, collections }: CellProps) {
  if (value === null || value === undefined) return <span className="text-ink-3">none</span>;
  if (column.references) return <Reference column={column} value={value} collections={collections} />;
  const text = textOf(value);
  switch (kindOf(column.type)) {
    case "timestamp":
      return (
        <time dateTime={text} title={text} className="tabular truncate">
          {exact(Date.parse(text))}
        </time>
      );
    case "json":
    case "uuid":
      return (
        <span title={text} className="truncate font-mono text-xs">
          {text}
        </span>
      );
    default:
      return (
        <span title={text.length > 24 ? text : undefined} className="truncate">
          {text}
        </span>
      );
  }
}

/** The row that a column refers to: its name if it is known, and a way there. */
function Reference({ column, value, collections }: CellProps) {
  const { references } = column;
  if (!references) return null;
  const target = collections.find((one) => one.name === references.collection);
  const key = textOf(referenceKey(value, column));
  return (
    <Link
      to="/data/$collection"
      params={{ collection: references.collection }}
      search={{ [`${references.column}[eq]`]: key } as never}
      tabIndex={-1}
      title={`${references.collection} ${key}`}
      className="truncate text-accent hover:underline"
    >
      {isRow(value) ? referenceLabel(value, target) : key}
    </Link>
  );
}
