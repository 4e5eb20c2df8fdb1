import { Trash2 } from "lucide-react";
import type { Token } from "../../../api/model";
import { IconButton } from "../../../components/IconButton";
import { Status } from "../../../components/Status";
import type { Column } from "../../../components/table-columns";
import { Time } from "../../../components/Time";

/** The list of tokens, with whose they are where they are those of everybody. */
export function columnsWith(isAll: boolean, onRevoke: (token: Token) => void): Column<Token>[] {
  const owner: Column<Token> = {
    id: "user",
    header: "User",
    cell: ({ row }) => row.original.user,
    meta: { width: "minmax(72px, 1fr)" },
  };
  return [
    {
      id: "name",
      header: "Name",
      cell: ({ row }) => <span className="font-medium">{row.original.name}</span>,
      meta: { width: "minmax(88px, 2fr)" },
    },
    ...(isAll ? [owner] : []),
    { id: "role", header: "At most", cell: ({ row }) => row.original.role, meta: { width: "84px" } },
    {
      id: "tags",
      header: "For pipelines tagged",
      cell: ({ row }) => <span className="text-ink-2">{row.original.tags?.join(", ") ?? "any"}</span>,
      meta: { width: "minmax(0, 2fr)", hideBelow: "md" },
    },
    {
      id: "used",
      header: "Last used",
      cell: ({ row }) => <Time at={row.original.used_at} none="never" className="text-ink-2" />,
      meta: { width: "96px", align: "right", hideBelow: "md" },
    },
    {
      id: "expires",
      header: "Ends",
      cell: ({ row }) =>
        Date.parse(row.original.expires_at) < Date.now() ? (
          <Status state="cancelled" word="Ended" />
        ) : (
          <Time at={row.original.expires_at} className="text-ink-2" />
        ),
      meta: { width: "88px", align: "right" },
    },
    {
      id: "actions",
      header: () => <span className="sr-only">Actions</span>,
      cell: ({ row: { original: token } }) => (
        <IconButton
          icon={Trash2}
          label={`Revoke ${token.name}`}
          size="small"
          onClick={() => onRevoke(token)}
        />
      ),
      meta: { width: "24px", align: "right" },
    },
  ];
}
