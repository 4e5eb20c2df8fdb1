import { KeyRound } from "lucide-react";
import type { StreamFound } from "../../api/model";
import { ScrollRegion } from "../ScrollRegion";

/** The columns of a stream: what each is to Levada, and what it is to its own system. */
export function ColumnList({ stream }: { stream: StreamFound }) {
  return (
    <ScrollRegion label="Columns">
      <table className="w-full text-left">
        <thead>
          <tr className="border-b text-xs text-ink-2">
            <th className="h-8 px-3 font-medium">Column</th>
            <th className="px-3 font-medium">Type</th>
            <th className="px-3 font-medium">There</th>
            <th className="px-3 font-medium">Null</th>
          </tr>
        </thead>
        <tbody>
          {stream.columns.map((column) => (
            <tr key={column.name} className="border-b last:border-0">
              <td className="h-8 px-3">
                <span className="inline-flex items-center gap-1.5">
                  {column.name}
                  {stream.key.includes(column.name) && (
                    <KeyRound className="size-3 text-ink-3" aria-label="part of the key" />
                  )}
                </span>
              </td>
              <td className="px-3 font-mono text-xs">{column.type}</td>
              <td className="px-3 font-mono text-xs text-ink-3">
                {column.native?.split(":").slice(1).join(":") ?? ""}
              </td>
              <td className="px-3 text-xs text-ink-3">{column.nullable ? "allowed" : "never"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollRegion>
  );
}
