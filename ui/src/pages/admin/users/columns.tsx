import { Ellipsis, KeyRound, Monitor, Pencil, Trash2 } from "lucide-react";
import type { User } from "../../../api/model";
import { IconButton } from "../../../components/IconButton";
import { Menu } from "../../../components/Menu";
import { Status } from "../../../components/Status";
import type { Column } from "../../../components/table-columns";
import { Time } from "../../../components/Time";
import type { Doing } from ".";

/** The list of users. */
export function columnsWith(onDo: (doing: Doing) => void): Column<User>[] {
  return [
    {
      id: "name",
      header: "Name",
      cell: ({ row: { original: user } }) => (
        <span className="flex min-w-0 items-baseline gap-2">
          <button
            type="button"
            tabIndex={-1}
            className="shrink-0 font-medium hover:underline"
            onClick={() => onDo({ what: "edit", user })}
          >
            {user.name}
          </button>
          {user.display_name !== user.name && (
            <span className="truncate text-xs text-ink-3">{user.display_name}</span>
          )}
        </span>
      ),
      meta: { width: "minmax(120px, 2fr)" },
    },
    { id: "role", header: "Role", cell: ({ row }) => row.original.role, meta: { width: "84px" } },
    {
      id: "grants",
      header: "Also",
      cell: ({ row }) => (
        <span className="text-ink-2">
          {row.original.grants.map(({ tag, role }) => `${role} on ${tag}`).join(", ")}
        </span>
      ),
      meta: { width: "minmax(0, 2fr)", hideBelow: "md" },
    },
    {
      id: "signs",
      header: "Signs in with",
      cell: ({ row: { original: user } }) => <span className="text-ink-2">{waysOf(user)}</span>,
      meta: { width: "minmax(0, 1.4fr)", hideBelow: "lg" },
    },
    {
      id: "state",
      header: "Status",
      cell: ({ row }) =>
        row.original.disabled ? <Status state="cancelled" word="Disabled" /> : <Status state="active" />,
      meta: { width: "96px", hideBelow: "sm" },
    },
    {
      id: "updated",
      header: "Changed",
      cell: ({ row }) => <Time at={row.original.updated_at} className="text-ink-2" />,
      meta: { width: "88px", align: "right", hideBelow: "md" },
    },
    {
      id: "actions",
      header: () => <span className="sr-only">Actions</span>,
      cell: ({ row: { original: user } }) => (
        <Menu
          trigger={<IconButton icon={Ellipsis} label={`Actions of ${user.name}`} size="small" />}
          items={[
            { label: "Edit", icon: Pencil, onSelect: () => onDo({ what: "edit", user }) },
            { label: "Set a new password", icon: KeyRound, onSelect: () => onDo({ what: "password", user }) },
            { label: "Sessions", icon: Monitor, onSelect: () => onDo({ what: "sessions", user }) },
            "line",
            { label: "Remove", icon: Trash2, danger: true, onSelect: () => onDo({ what: "remove", user }) },
          ]}
        />
      ),
      meta: { width: "24px", align: "right" },
    },
  ];
}

function waysOf({ has_password: hasPassword, subject }: User): string {
  if (hasPassword && subject) return "password, single sign-on";
  return hasPassword ? "password" : subject ? "single sign-on" : "nothing yet";
}
