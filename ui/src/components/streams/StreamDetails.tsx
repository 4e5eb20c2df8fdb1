import { useState } from "react";
import type { StreamFound } from "../../api/model";
import { Bytes } from "../Bytes";
import { Count } from "../Count";
import { TAB, TAB_LIST } from "../tab-classes";
import { ColumnList } from "./ColumnList";
import { PreviewGrid } from "./PreviewGrid";

interface StreamDetailsProps {
  connection: string;
  stream: StreamFound;
}

/** One stream: its columns, and its first rows. */
export function StreamDetails({ connection, stream }: StreamDetailsProps) {
  const [part, setPart] = useState<"rows" | "columns">("rows");
  return (
    <section aria-label={stream.stream} className="flex min-h-0 min-w-0 grow flex-col">
      <header className="border-b px-4 pt-3">
        <h2 className="font-semibold wrap-anywhere">{stream.stream}</h2>
        <p className="mt-0.5 flex flex-wrap gap-x-3 text-xs text-ink-2">
          {stream.rows_estimate !== null && stream.rows_estimate !== undefined && (
            <span>
              about <Count value={stream.rows_estimate} /> rows
            </span>
          )}
          {stream.bytes_estimate !== null && stream.bytes_estimate !== undefined && (
            <Bytes value={stream.bytes_estimate} />
          )}
          <span>{stream.key.length > 0 ? `key: ${stream.key.join(", ")}` : "no key"}</span>
        </p>
        <div role="group" aria-label="What is shown of it" className={`${TAB_LIST} mt-1`}>
          {(["rows", "columns"] as const).map((one) => (
            <button
              key={one}
              type="button"
              aria-pressed={part === one}
              data-state={part === one ? "active" : undefined}
              onClick={() => setPart(one)}
              className={TAB}
            >
              {one === "rows" ? "First rows" : `Columns (${stream.columns.length})`}
            </button>
          ))}
        </div>
      </header>
      <div className="flex min-h-0 grow flex-col overflow-auto">
        {part === "rows" ? (
          <PreviewGrid key={stream.stream} connection={connection} stream={stream.stream} />
        ) : (
          <ColumnList stream={stream} />
        )}
      </div>
    </section>
  );
}
