import type { AuditLine } from "../../../api/model";
import { Status } from "../../../components/Status";
import type { Column } from "../../../components/table-columns";
import { Time } from "../../../components/Time";
import { count } from "../../../format/numbers";

const STATES: Record<string, string> = {
  done: "succeeded",
  asked: "active",
  denied: "cancelled",
  failed: "failed",
};
// the line is written before the operation begins
const WORDS: Record<string, string> = { done: "Done", asked: "Allowed", denied: "Denied", failed: "Failed" };

/** The lines of the audit log. */
export const AUDIT_COLUMNS: Column<AuditLine>[] = [
  {
    id: "number",
    header: "Line",
    cell: ({ row }) => <span title={row.original.hash}>{count(row.original.number)}</span>,
    meta: { width: "56px", align: "right", hideBelow: "md" },
  },
  {
    id: "at",
    header: "When",
    cell: ({ row }) => <Time at={row.original.at} className="text-ink-2" />,
    meta: { width: "76px" },
  },
  {
    id: "actor",
    header: "Who",
    cell: ({ row }) => <span className="font-medium">{row.original.actor}</span>,
    meta: { width: "minmax(48px, 1fr)" },
  },
  {
    id: "action",
    header: "Operation",
    cell: ({ row }) => <span className="font-mono text-xs">{row.original.action}</span>,
    meta: { width: "minmax(64px, 1.2fr)" },
  },
  {
    id: "object",
    header: "Object",
    cell: ({ row }) => <span title={row.original.object}>{row.original.object}</span>,
    meta: { width: "minmax(0, 1.4fr)", hideBelow: "sm" },
  },
  {
    id: "outcome",
    header: "Outcome",
    cell: ({ row: { original: line } }) => (
      <Status state={STATES[line.outcome] ?? line.outcome} word={WORDS[line.outcome] ?? line.outcome} />
    ),
    meta: { width: "84px" },
  },
  {
    id: "detail",
    header: "Detail",
    cell: ({ row }) => (
      <span className="text-ink-2" title={row.original.detail ?? ""}>
        {row.original.detail}
      </span>
    ),
    meta: { width: "minmax(0, 2fr)", hideBelow: "lg" },
  },
  {
    id: "address",
    header: "From",
    cell: ({ row }) => <span className="tabular text-ink-2">{row.original.address}</span>,
    meta: { width: "112px", hideBelow: "xl" },
  },
];
