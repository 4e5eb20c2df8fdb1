import { Link } from "@tanstack/react-router";
import type { OpenApi } from "../../api/openapi";
import { Method } from "./Method";
import type { Operation } from "./operations";
import { SchemaTree } from "./SchemaTree";

interface SchemaDetailProps {
  name: string;
  document: OpenApi;
  operations: Operation[];
}

/** A schema, and where it is used. */
export function SchemaDetail({ name, document, operations }: SchemaDetailProps) {
  const reference = JSON.stringify(`#/components/schemas/${name}`);
  const users = operations.filter((one) =>
    JSON.stringify([one.parameters, one.body, one.responses]).includes(reference),
  );
  return (
    <article className="max-w-4xl p-4 sm:p-6" aria-labelledby="schema">
      <h2 id="schema" className="mb-3 font-mono text-base font-semibold">
        {name}
      </h2>
      <SchemaTree schema={{ $ref: `#/components/schemas/${name}` }} document={document} isOpen />
      {users.length > 0 && (
        <>
          <h3 className="mt-5 mb-1.5 font-semibold">Used by</h3>
          <ul>
            {users.map((operation) => (
              <li key={operation.id}>
                <Link
                  to="/reference"
                  search={{ operation: operation.id }}
                  className="flex min-h-7 items-center gap-2 hover:underline"
                >
                  <Method method={operation.method} />
                  {operation.summary}
                </Link>
              </li>
            ))}
          </ul>
        </>
      )}
    </article>
  );
}
