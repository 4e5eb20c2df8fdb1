import { ChevronRight } from "lucide-react";
import { useState } from "react";
import type { OpenApi } from "../../api/openapi";
import { classes } from "../../components/classes";
import { Method } from "./Method";
import { OperationBody } from "./OperationBody";
import type { Operation } from "./operations";

/** An operation that opens: one line, and all of it below. */
export function OperationCard({ operation, document }: { operation: Operation; document: OpenApi }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <section aria-label={operation.summary} className="overflow-hidden rounded-lg border">
      <h2>
        <button
          type="button"
          aria-expanded={isOpen}
          onClick={() => setOpen(!isOpen)}
          className="flex min-h-10 w-full items-center gap-2.5 px-3 py-1.5 text-left -outline-offset-2 hover:bg-hover"
        >
          <ChevronRight
            className={classes("size-3.5 shrink-0 text-ink-3 transition-transform", isOpen && "rotate-90")}
            aria-hidden
          />
          <Method method={operation.method} />
          <span className="min-w-0 truncate font-mono text-xs">{operation.path}</span>
          <span className="ml-auto shrink-0 text-ink-2 max-sm:hidden">{operation.summary}</span>
        </button>
      </h2>
      {isOpen && (
        <div className="border-t p-4">
          <OperationBody operation={operation} document={document} />
        </div>
      )}
    </section>
  );
}
