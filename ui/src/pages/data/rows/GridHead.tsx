import type { CollectionColumn } from "../../../api/model";
import { SortHeader } from "../../../components/SortHeader";
import { isNumber, kindOf } from "../values";

interface GridHeadProps {
  columns: CollectionColumn[];
  template: string;
  /** By which column the rows are sorted. */
  sorting: { id: string; desc: boolean } | undefined;
  onSort: (column: string) => void;
}

/** The names of the columns, which sort by them. */
export function GridHead({ columns, template, sorting, onSort }: GridHeadProps) {
  return (
    <div role="rowgroup" className="sticky top-0 z-10 bg-canvas">
      <div role="row" className="grid border-b" style={{ gridTemplateColumns: template }}>
        {columns.map((column) => (
          <div
            key={column.name}
            role="presentation"
            className="border-r px-2.5 first:pl-4 sm:first:pl-6"
            title={column.type}
          >
            <SortHeader
              isRight={isNumber(column.type) && !column.references}
              order={sorting?.id === column.name ? (sorting.desc ? "down" : "up") : undefined}
              onSort={
                kindOf(column.type) === "json" || column.name === "deleted_at"
                  ? undefined
                  : () => onSort(column.name)
              }
            >
              {column.name}
            </SortHeader>
          </div>
        ))}
        <div role="columnheader" className="sticky right-0 bg-canvas">
          <span className="sr-only">Actions</span>
        </div>
      </div>
    </div>
  );
}
