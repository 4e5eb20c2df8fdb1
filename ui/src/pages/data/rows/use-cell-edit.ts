import { useRef, useState } from "react";
import { readRow, type Row } from "../../../api/data";
import { ApiError, messageOf } from "../../../api/error";
import { mistakesByField } from "../../../api/mistakes";
import type { Collection, CollectionColumn } from "../../../api/model";
import { useChangeRow, useShowRow } from "../../../api/queries/data";
import { referenceKey, textOf, valueOf } from "../values";

/** A cell that is being changed. */
export interface Editing {
  id: unknown;
  column: string;
  /** What the cell held when the change began. */
  text: string;
  error?: string;
  isBusy: boolean;
}

/** That somebody else changed a row in between. */
export interface Conflict {
  id: unknown;
  /** What was to be saved. */
  mine: Row;
  /** What the row is now. */
  theirs: Row;
  etag: string | null;
}

/**
 * The change of one cell at a time. It is based on the row as it is when the change begins: what somebody else changes after
 * that is not overwritten unseen.
 */
export function useCellEdit(collection: Collection) {
  const [editing, setEditing] = useState<Editing | null>(null);
  const [conflict, setConflict] = useState<Conflict | null>(null);
  const version = useRef<Promise<string | null>>(Promise.resolve(null));
  const change = useChangeRow(collection);
  const show = useShowRow(collection);

  const start = (row: Row, column: CollectionColumn) => {
    const id = row[collection.key];
    const text = textIn(row, column);
    setEditing({ id, column: column.name, text, isBusy: false });
    version.current = readRow(collection.path, id).then(
      ({ data, etag }) => {
        const now = textIn(data, column);
        show(id, data);
        if (now !== text)
          setEditing((before) => (isSame(before, id, column.name) ? { ...before, text: now } : before));
        return etag;
      },
      // it will be told when the change is saved
      () => null,
    );
  };

  /** Answers whether it was saved. */
  const save = async (column: CollectionColumn, text: string): Promise<boolean> => {
    if (!editing || editing.isBusy) return false;
    const read = valueOf(column.type, text);
    if ("error" in read) return fail(read.error);
    if (text === editing.text) return stop();
    setEditing({ id: editing.id, column: editing.column, text: editing.text, isBusy: true });
    const mine = { [column.name]: read.value };
    try {
      await change.mutateAsync({ id: editing.id, change: mine, etag: await version.current });
      return stop();
    } catch (error) {
      if (error instanceof ApiError && error.isStale) return disagree(mine);
      return fail(mistakesByField(error, [column.name])[column.name] ?? messageOf(error));
    }
  };

  const stop = (): true => {
    setEditing(null);
    return true;
  };
  const fail = (error: string): false => {
    setEditing((before) => before && { ...before, error, isBusy: false });
    return false;
  };
  const disagree = async (mine: Row): Promise<boolean> => {
    const id = editing?.id;
    try {
      const { data, etag } = await readRow(collection.path, id);
      show(id, data);
      setConflict({ id, mine, theirs: data, etag });
      return stop();
    } catch (error) {
      return fail(messageOf(error));
    }
  };
  const overwrite = async () => {
    if (!conflict) return;
    await change.mutateAsync({ id: conflict.id, change: conflict.mine, etag: conflict.etag });
    setConflict(null);
  };
  return { editing, start, save, cancel: stop, conflict, keepTheirs: () => setConflict(null), overwrite };
}

export type CellEdit = ReturnType<typeof useCellEdit>;

function textIn(row: Row, column: CollectionColumn): string {
  const value = row[column.name];
  return textOf(column.references ? referenceKey(value, column) : value);
}

function isSame(editing: Editing | null, id: unknown, column: string): editing is Editing {
  return editing?.id === id && editing?.column === column;
}
