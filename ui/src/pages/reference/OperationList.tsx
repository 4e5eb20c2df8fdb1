import { Link } from "@tanstack/react-router";
import { Method } from "./Method";
import { grouped, nounTitle, type Operation } from "./operations";

interface OperationListProps {
  operations: Operation[];
  /** Names of schemas to show as well. */
  schemas: string[];
  q: string;
}

const ENTRY =
  "flex min-h-7 items-center gap-2 rounded px-2 text-ink-2 hover:bg-hover hover:text-ink data-active:bg-accent-soft data-active:text-accent-strong";

/** The operations by what they belong to. */
export function OperationList({ operations, schemas, q }: OperationListProps) {
  const kept = q ? { q } : {};
  return (
    <nav aria-label="Operations" className="min-h-0 grow overflow-y-auto p-2">
      {grouped(operations).map(([noun, of]) => (
        <section key={noun} aria-label={nounTitle(noun)} className="pb-2">
          <h2 className="px-2 py-1 text-xs font-semibold">{nounTitle(noun)}</h2>
          {of.map((operation) => (
            <Link
              key={operation.id}
              to="/reference"
              search={{ ...kept, operation: operation.id }}
              activeOptions={{ includeSearch: true }}
              activeProps={{ "data-active": true }}
              title={`${operation.method} ${operation.path}`}
              preload={false}
              className={ENTRY}
            >
              <Method method={operation.method} />
              <span className="min-w-0 truncate">{operation.summary}</span>
            </Link>
          ))}
        </section>
      ))}
      {schemas.length > 0 && (
        <section aria-label="Schemas" className="pb-2">
          <h2 className="px-2 py-1 text-xs font-semibold">Schemas</h2>
          {schemas.map((name) => (
            <Link
              key={name}
              to="/reference"
              search={{ ...kept, schema: name }}
              activeOptions={{ includeSearch: true }}
              activeProps={{ "data-active": true }}
              preload={false}
              className={ENTRY}
            >
              <span className="min-w-0 truncate font-mono text-xs">{name}</span>
            </Link>
          ))}
        </section>
      )}
      {operations.length === 0 && schemas.length === 0 && (
        <p role="status" className="px-2 py-6 text-center text-ink-2">
          No operation is called “{q}”.
        </p>
      )}
    </nav>
  );
}
