import { Tabs as Radix } from "radix-ui";
import type { ReactNode } from "react";
import { TAB, TAB_LIST } from "./tab-classes";

interface TabsProps {
  value: string;
  onValueChange: (value: string) => void;
  items: { value: string; label: ReactNode; content: ReactNode }[];
  label: string;
}

/** Parts of a page of which one is shown. For parts with an address of their own, see `TabLinks`. */
export function Tabs({ value, onValueChange, items, label }: TabsProps) {
  return (
    <Radix.Root value={value} onValueChange={onValueChange}>
      <Radix.List aria-label={label} className={`${TAB_LIST} border-b`}>
        {items.map((item) => (
          <Radix.Trigger key={item.value} value={item.value} className={TAB}>
            {item.label}
          </Radix.Trigger>
        ))}
      </Radix.List>
      {items.map((item) => (
        <Radix.Content key={item.value} value={item.value}>
          {item.content}
        </Radix.Content>
      ))}
    </Radix.Root>
  );
}
