import type { CollectionColumn } from "../../../api/model";
import { kindOf, type Kind } from "../values";

/** The width of the column with a row's actions. */
export const ACTIONS_WIDTH = 44;

const WIDTHS: Record<Kind, number> = {
  text: 176,
  integer: 96,
  bigint: 112,
  decimal: 120,
  float: 120,
  boolean: 88,
  date: 112,
  timestamp: 204,
  uuid: 290,
  json: 240,
};
const ID_WIDTH = 80;
const LETTER = 7;
const AROUND = 48;

/** The width of a column by its type, or as much as its name needs. */
export function widthOf(column: CollectionColumn): number {
  if (column.name === "id") return ID_WIDTH;
  const width = column.references ? WIDTHS.text : WIDTHS[kindOf(column.type)];
  return Math.max(width, column.name.length * LETTER + AROUND);
}
