import { ListFilter } from "lucide-react";
import { useState, type ReactNode } from "react";
import type { Collection } from "../../../api/model";
import { Button } from "../../../components/Button";
import { FilterBar } from "../../../components/FilterBar";
import { FilterChip } from "../../../components/FilterChip";
import { Switch } from "../../../components/Switch";
import { filterName, filterWords, type ColumnFilter } from "../filters";
import { FilterForm } from "./FilterForm";

interface ToolbarProps {
  collection: Collection;
  filters: ColumnFilter[];
  search: Partial<Record<string, string>>;
  onSearchChange: (change: Record<string, string | undefined>) => void;
  hasReferences: boolean;
  /** The button at the end. */
  action: ReactNode;
}

/** The filters above the rows, and what else is shown of them. */
export function Toolbar({
  collection,
  filters,
  search,
  onSearchChange,
  hasReferences,
  action,
}: ToolbarProps) {
  const [isAdding, setAdding] = useState(false);
  return (
    <FilterBar>
      <Button icon={ListFilter} aria-expanded={isAdding} onClick={() => setAdding(!isAdding)}>
        Filter
      </Button>
      {filters.map((filter) => (
        <FilterChip
          key={filterName(filter)}
          name={filter.column}
          value={filterWords(filter)}
          onRemove={() => onSearchChange({ [filterName(filter)]: undefined })}
        />
      ))}
      {hasReferences && (
        <Toggle
          label="Names of references"
          checked={!search["plain"]}
          onChange={(on) => onSearchChange({ plain: on ? undefined : "true" })}
        />
      )}
      {collection.soft_delete && (
        <Toggle
          label="Deleted rows"
          checked={search["deleted"] === "true"}
          onChange={(on) => onSearchChange({ deleted: on ? "true" : undefined })}
        />
      )}
      <span className="ml-auto">{action}</span>
      {isAdding && (
        <FilterForm
          collection={collection}
          onAdd={(filter) => {
            onSearchChange({ [filterName(filter)]: filter.value });
            setAdding(false);
          }}
        />
      )}
    </FilterBar>
  );
}

function Toggle({
  label,
  checked,
  onChange,
}: {
  label: string;
  checked: boolean;
  onChange: (on: boolean) => void;
}) {
  return (
    <span className="flex h-8 items-center gap-2 px-1 text-ink-2">
      <Switch checked={checked} onCheckedChange={onChange} label={label} />
      <span aria-hidden>{label}</span>
    </span>
  );
}
