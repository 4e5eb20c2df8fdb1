import { useQuery } from "@tanstack/react-query";
import { useId, type ComponentProps } from "react";
import type { Collection, CollectionColumn } from "../../api/model";
import { choicesOptions } from "../../api/queries/data";
import { classes } from "../../components/classes";
import { Input } from "../../components/Input";
import { Select } from "../../components/Select";
import { TextArea } from "../../components/TextArea";
import { isNumber, kindOf, labelColumn, textOf } from "./values";

interface ValueInputProps extends Omit<ComponentProps<"input">, "value" | "onChange" | "ref" | "onSelect"> {
  column: Pick<CollectionColumn, "type" | "one_of" | "required" | "references">;
  /** What the column refers to. */
  target?: Collection | undefined;
  value: string;
  onValueChange: (value: string) => void;
  /** It stands in a cell of the grid: without a frame of its own, and one line high. */
  isCell?: boolean;
}

const CELL = "h-full! rounded-none! border-accent! ring-2 ring-accent/30";

/** The right field for the type of a column. */
export function ValueInput({
  column,
  target,
  value,
  onValueChange,
  isCell,
  className,
  ...rest
}: ValueInputProps) {
  const look = classes(isCell && CELL, className);
  const kind = kindOf(column.type);
  const options =
    column.one_of.length > 0 ? column.one_of.map(textOf) : kind === "boolean" ? ["true", "false"] : null;
  if (options)
    return (
      <Select
        {...(rest as object)}
        value={value}
        onValueChange={onValueChange}
        options={options.map((option) => ({ value: option, label: option }))}
        placeholder={column.required ? "Choose" : "none"}
        className={isCell ? "h-full [&>select]:h-full [&>select]:rounded-none" : ""}
      />
    );
  if (column.references)
    return (
      <ReferenceInput
        {...rest}
        target={target}
        value={value}
        onValueChange={onValueChange}
        className={look}
      />
    );
  if (kind === "json" && !isCell)
    return (
      <TextArea
        {...(rest as object)}
        value={value}
        rows={4}
        onChange={(event) => onValueChange(event.target.value)}
      />
    );
  return (
    <Input
      {...rest}
      type={kind === "date" ? "date" : "text"}
      inputMode={isNumber(column.type) ? "decimal" : undefined}
      placeholder={
        kind === "timestamp"
          ? "2026-01-31T06:00:00Z"
          : kind === "uuid"
            ? "00000000-0000-0000-0000-000000000000"
            : undefined
      }
      autoComplete="off"
      value={value}
      onChange={(event) => onValueChange(event.target.value)}
      className={look}
    />
  );
}

interface ReferenceInputProps extends Omit<ComponentProps<"input">, "value" | "onChange" | "ref"> {
  target: Collection | undefined;
  value: string;
  onValueChange: (value: string) => void;
}

/** The key of another row. The rows there are offered by their names. */
function ReferenceInput({ target, value, onValueChange, ...rest }: ReferenceInputProps) {
  const list = useId();
  const label = labelColumn(target);
  const isKey = /^\d*$/.test(value);
  const { data } = useQuery(choicesOptions(target, label, isKey ? "" : value));
  return (
    <>
      <Input
        {...rest}
        list={list}
        autoComplete="off"
        value={value}
        onChange={(event) => onValueChange(event.target.value)}
      />
      <datalist id={list}>
        {data?.map((row) => (
          <option key={textOf(row[target?.key ?? "id"])} value={textOf(row[target?.key ?? "id"])}>
            {textOf(row[label])}
          </option>
        ))}
      </datalist>
    </>
  );
}
