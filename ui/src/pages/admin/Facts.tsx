import type { ReactNode } from "react";

/** Names and values, one pair per line. */
export function Facts({ facts }: { facts: [name: string, value: ReactNode][] }) {
  return (
    <dl className="divide-y">
      {facts.map(([name, value]) => (
        <div key={name} className="grid gap-x-4 px-3 py-2 sm:grid-cols-[minmax(0,200px)_minmax(0,1fr)]">
          <dt className="text-ink-2">{name}</dt>
          <dd className="tabular wrap-anywhere">{value}</dd>
        </div>
      ))}
    </dl>
  );
}
