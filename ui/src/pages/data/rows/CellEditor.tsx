import { useId, useState, type KeyboardEvent } from "react";
import type { Collection, CollectionColumn } from "../../../api/model";
import { ValueInput } from "../ValueInput";
import type { Editing } from "./use-cell-edit";

type Then = "here" | "below" | "right" | "left";

interface CellEditorProps {
  column: CollectionColumn;
  /** What the column refers to. */
  target: Collection | undefined;
  editing: Editing;
  onSave: (text: string, then: Then) => void;
  onCancel: () => void;
}

/** The field in place of a cell. Enter saves, Tab saves and goes on, Escape leaves it as it was. */
export function CellEditor({ column, target, editing, onSave, onCancel }: CellEditorProps) {
  const [text, setText] = useState(editing.text);
  const id = useId();
  const press = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return;
    if (event.key === "Escape") onCancel();
    else if (event.key === "Enter" && !event.shiftKey) onSave(text, "below");
    else if (event.key === "Tab") onSave(text, event.shiftKey ? "left" : "right");
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div
      className="size-full"
      onKeyDown={press}
      onBlur={(event) => {
        if (event.currentTarget.contains(event.relatedTarget) || editing.isBusy || editing.error) return;
        if (text === editing.text) onCancel();
        else onSave(text, "here");
      }}
    >
      <ValueInput
        autoFocus
        column={column}
        target={target}
        value={text}
        onValueChange={setText}
        isCell
        aria-label={column.name}
        aria-invalid={editing.error ? true : undefined}
        aria-describedby={editing.error ? id : undefined}
        aria-busy={editing.isBusy || undefined}
      />
      {editing.error && (
        <p
          id={id}
          role="alert"
          className="absolute top-full left-0 z-30 w-max max-w-72 rounded-b border border-fail bg-fail-soft px-2 py-1 text-xs text-fail wrap-anywhere"
        >
          {editing.error}
        </p>
      )}
    </div>
  );
}
