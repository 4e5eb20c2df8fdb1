import { ArrowRight, ChevronRight, CircleCheck, Plus, ShieldCheck, TriangleAlert } from "lucide-react";
import { Collapsible } from "radix-ui";
import type { ColumnPlan, Plan } from "../../api/model";
import { Bytes } from "../../components/Bytes";
import { Count } from "../../components/Count";
import { classes } from "../../components/classes";
import { plural } from "../../format/numbers";
import { MODES, modeOf } from "./modes";

type StreamPlan = Plan["streams"][number];

/** What would happen to one stream: where it goes, how, what is made, and which values may not stay what they are. */
export function PlannedStream({ stream }: { stream: StreamPlan }) {
  const mode = modeOf(stream.read, stream.write, true);
  const inexact = stream.columns.filter((column) => column.fit !== "exact" && column.fit !== "widened");
  return (
    <li className="rounded-lg border">
      <Collapsible.Root>
        <div className="px-3 pt-2.5 pb-2">
          <p className="flex flex-wrap items-center gap-x-1.5 font-medium">
            <span className="wrap-anywhere">{stream.stream}</span>
            <ArrowRight className="size-3 shrink-0 text-ink-3" aria-label="into" />
            <span className="wrap-anywhere">{stream.target}</span>
          </p>
          <p className="mt-1 flex flex-wrap items-center gap-x-3 gap-y-0.5 text-xs text-ink-2">
            <Mark icon={stream.exists ? CircleCheck : Plus}>
              {stream.exists ? "is there" : "will be made"}
            </Mark>
            {mode && <span>{MODES[mode].title}</span>}
            {stream.rows_estimate !== null && stream.rows_estimate !== undefined && (
              <span>
                about <Count value={stream.rows_estimate} /> rows
              </span>
            )}
            {stream.bytes_estimate !== null && stream.bytes_estimate !== undefined && (
              <Bytes value={stream.bytes_estimate} />
            )}
            <Mark
              icon={stream.exactly_once ? ShieldCheck : TriangleAlert}
              tone={stream.exactly_once ? "text-ok" : "text-warn"}
              title={
                stream.at_least_once_because ?? "A crash at any moment repeats nothing and loses nothing."
              }
            >
              {stream.exactly_once ? "exactly once" : "at least once"}
            </Mark>
          </p>
          {!stream.exactly_once && stream.at_least_once_because && (
            <p className="mt-1 text-xs text-warn">{stream.at_least_once_because}</p>
          )}
          {inexact.length > 0 && <Inexact columns={inexact} />}
          <Collapsible.Trigger className="group mt-1.5 flex items-center gap-1 text-xs text-ink-2 hover:text-ink">
            <ChevronRight
              className="size-3 transition-transform group-data-[state=open]:rotate-90"
              aria-hidden
            />
            {plural(stream.columns.length, "column")}
            {stream.ddl.length > 0 && `, ${plural(stream.ddl.length, "statement")}`}
          </Collapsible.Trigger>
        </div>
        <Collapsible.Content className="border-t">
          <p className="px-3 py-2 text-xs text-ink-2">{capital(stream.strategy)}.</p>
          {stream.ddl.length > 0 && (
            <pre
              tabIndex={0}
              aria-label="Statements"
              className="overflow-x-auto border-t bg-sunken px-3 py-2 font-mono text-xs whitespace-pre-wrap wrap-anywhere"
            >
              {stream.ddl.join(";\n")}
            </pre>
          )}
          <table className="w-full border-t text-left text-xs">
            <thead className="text-ink-2">
              <tr className="border-b">
                <th className="h-7 px-3 font-medium">Column there</th>
                <th className="px-3 font-medium">Type</th>
                <th className="px-3 font-medium">Values</th>
              </tr>
            </thead>
            <tbody>
              {stream.columns.map((column) => (
                <tr key={column.name} className="border-b align-top last:border-0">
                  <td className="px-3 py-1 wrap-anywhere">{column.name}</td>
                  <td className="px-3 py-1 font-mono wrap-anywhere">{column.native}</td>
                  <td className="px-3 py-1">
                    <span
                      className={classes(column.fit !== "exact" && column.fit !== "widened" && "text-warn")}
                    >
                      {column.fit}
                    </span>
                    {column.note && <span className="block text-ink-3">{column.note}</span>}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </Collapsible.Content>
      </Collapsible.Root>
    </li>
  );
}

function Inexact({ columns }: { columns: ColumnPlan[] }) {
  return (
    <ul className="mt-1.5 flex flex-col gap-0.5">
      {columns.map((column) => (
        <li key={column.name} className="text-xs">
          <span className="font-medium">{column.name}</span> <span className="text-warn">{column.fit}</span>
          {column.note && <span className="text-ink-2">: {column.note}</span>}
        </li>
      ))}
    </ul>
  );
}

interface MarkProps {
  icon: typeof Plus;
  tone?: string;
  title?: string;
  children: string;
}

function Mark({ icon: Icon, tone, title, children }: MarkProps) {
  return (
    <span className={classes("inline-flex items-center gap-1", tone)} title={title}>
      <Icon className="size-3 shrink-0" aria-hidden />
      {children}
    </span>
  );
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
