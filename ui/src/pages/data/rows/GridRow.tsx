import type { KeyboardEvent, ReactNode } from "react";
import type { Row } from "../../../api/data";
import type { Collection, CollectionColumn } from "../../../api/model";
import { classes } from "../../../components/classes";
import { isNumber } from "../values";
import { Cell } from "./Cell";
import { CellEditor } from "./CellEditor";
import type { CellEdit } from "./use-cell-edit";

interface GridRowProps {
  row: Row;
  columns: CollectionColumn[];
  collection: Collection;
  collections: Collection[];
  /** Where it stands: among the rows, and in pixels. */
  place: number;
  top: number;
  height: number;
  template: string;
  /** The column whose cell is reached with Tab; none for a cell of another row. */
  active: number | null;
  edit: CellEdit;
  isEditable: (row: Row, column: CollectionColumn) => boolean;
  onActive: (column: number) => void;
  onPress: (event: KeyboardEvent, row: number, column: number) => void;
  /** Leads the focus to a cell. */
  onFocus: (row: number, column: number) => void;
  onOpen: (row: Row) => void;
  actions: ReactNode;
}

/** A row: its values, one of which may be being changed, and what can be done with it. */
export function GridRow(props: GridRowProps) {
  const { row, columns, collection, collections, place, top, height, template, active, edit } = props;
  const { isEditable, onActive, onPress, onFocus, onOpen, actions } = props;
  const id = row[collection.key];
  return (
    <div
      role="row"
      aria-rowindex={place + 2}
      className={classes(
        "group absolute inset-x-0 top-0 grid border-b",
        Boolean(row["deleted_at"]) && "text-ink-3 line-through decoration-ink-3/60",
      )}
      style={{ height, transform: `translateY(${top}px)`, gridTemplateColumns: template }}
    >
      {columns.map((column, index) => {
        const editing = edit.editing?.id === id && edit.editing?.column === column.name ? edit.editing : null;
        return (
          <div
            key={column.name}
            role="gridcell"
            data-cell={`${place}:${index}`}
            aria-colindex={index + 1}
            aria-readonly={!isEditable(row, column)}
            tabIndex={!editing && active === index ? 0 : -1}
            onFocus={() => onActive(index)}
            onDoubleClick={() => (isEditable(row, column) ? edit.start(row, column) : onOpen(row))}
            onKeyDown={(event) => event.target === event.currentTarget && onPress(event, place, index)}
            className={classes(
              "flex min-w-0 items-center border-r px-2.5 -outline-offset-2 first:pl-4 sm:first:pl-6",
              editing && "relative z-20 p-0! line-through-none",
              isNumber(column.type) && !column.references && "tabular justify-end",
            )}
          >
            {editing ? (
              <CellEditor
                key={editing.text}
                column={column}
                target={collections.find((one) => one.name === column.references?.collection)}
                editing={editing}
                onSave={async (text, then) => {
                  if (await edit.save(column, text))
                    onFocus(
                      place + (then === "below" ? 1 : 0),
                      index + (then === "right" ? 1 : then === "left" ? -1 : 0),
                    );
                }}
                onCancel={() => {
                  edit.cancel();
                  onFocus(place, index);
                }}
              />
            ) : (
              <Cell column={column} value={row[column.name]} collections={collections} />
            )}
          </div>
        );
      })}
      <div
        role="gridcell"
        data-cell={`${place}:${columns.length}`}
        aria-colindex={columns.length + 1}
        onKeyDown={(event) => event.key === "ArrowLeft" && onPress(event, place, columns.length)}
        className="sticky right-0 flex items-center justify-center bg-canvas"
      >
        {actions}
      </div>
    </div>
  );
}
