import { useState } from "react";
import type { Collection } from "../../../api/model";
import { Button } from "../../../components/Button";
import { Select } from "../../../components/Select";
import { OPERATOR_WORDS, operatorsOf, type ColumnFilter, type Operator } from "../filters";
import { ValueInput } from "../ValueInput";

interface FilterFormProps {
  collection: Collection;
  onAdd: (filter: ColumnFilter) => void;
}

/** A condition in the making: column, comparison, value. */
export function FilterForm({ collection, onAdd }: FilterFormProps) {
  const [name, setName] = useState(
    collection.columns.find((column) => column.name !== collection.key)?.name ?? "",
  );
  const column = collection.columns.find((one) => one.name === name);
  const operators = operatorsOf(column?.type ?? "text");
  const [chosen, setOperator] = useState<Operator>("eq");
  const operator = operators.includes(chosen) ? chosen : (operators[0] ?? "eq");
  const [value, setValue] = useState("");
  const isNull = operator === "is_null";
  const isReady = isNull || value.trim() !== "";
  if (!column) return null;
  return (
    <form
      className="flex w-full flex-wrap items-center gap-2"
      onSubmit={(event) => {
        event.preventDefault();
        if (isReady) onAdd({ column: name, operator, value: isNull ? "true" : value.trim() });
      }}
    >
      <Select
        autoFocus
        aria-label="Column"
        value={name}
        onValueChange={(next) => {
          setName(next);
          setValue("");
        }}
        options={collection.columns.map((one) => ({ value: one.name, label: one.name }))}
        className="w-auto min-w-36"
      />
      <Select
        aria-label="Comparison"
        value={operator}
        onValueChange={(next) => setOperator(next as Operator)}
        options={operators.map((one) => ({ value: one, label: OPERATOR_WORDS[one] }))}
        className="w-auto"
      />
      {!isNull && (
        <span className="min-w-40 grow sm:max-w-60">
          <ValueInput
            aria-label="Value"
            column={
              operator === "in"
                ? { type: "text", one_of: [], required: true }
                : { ...column, references: null, required: true }
            }
            value={value}
            onValueChange={setValue}
            {...(operator === "in" && { placeholder: "1,2,3" })}
          />
        </span>
      )}
      <Button type="submit" look="primary" disabled={!isReady}>
        Apply
      </Button>
    </form>
  );
}
