import type { OpenApi } from "../../api/openapi";
import { CopyButton } from "../../components/CopyButton";
import { Method } from "./Method";
import { OperationBody } from "./OperationBody";
import type { Operation } from "./operations";

/** All about an operation. */
export function OperationDetail({ operation, document }: { operation: Operation; document: OpenApi }) {
  return (
    <article className="max-w-4xl p-4 sm:p-6" aria-labelledby="operation">
      <h2 id="operation" className="text-lg font-semibold">
        {operation.summary}
      </h2>
      <p className="mt-1 mb-5 flex min-w-0 items-center gap-1">
        <Method method={operation.method} />
        <code className="min-w-0 font-mono text-xs wrap-anywhere">{operation.path}</code>
        <CopyButton text={operation.path} what="the path" />
      </p>
      <OperationBody operation={operation} document={document} />
    </article>
  );
}
