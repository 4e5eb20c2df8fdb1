import { Braces, Ellipsis, Pencil, RotateCcw, Terminal, Trash2 } from "lucide-react";
import type { Row } from "../../../api/data";
import { messageOf } from "../../../api/error";
import type { Collection } from "../../../api/model";
import { useRestoreRow } from "../../../api/queries/data";
import { IconButton } from "../../../components/IconButton";
import { Menu, type MenuItem } from "../../../components/Menu";
import { toast } from "../../../components/toasts";
import { curl } from "../../../format/curl";
import { textOf } from "../values";
import type { Deletion } from "./DeleteDialog";

interface RowActionsProps {
  collection: Collection;
  row: Row;
  denial: string | undefined;
  deletionDenial: string | undefined;
  onOpen: (row: Row) => void;
  onDelete: (deletion: Deletion) => void;
}

/** What can be done with a row. */
export function RowActions({ collection, row, denial, deletionDenial, onOpen, onDelete }: RowActionsProps) {
  const restore = useRestoreRow(collection);
  const id = row[collection.key];
  const isDeleted = Boolean(row["deleted_at"]);
  const name = `${collection.name} ${textOf(id)}`;
  const bringBack = () =>
    restore.mutate(id, {
      onSuccess: () => toast(`${name} is there again.`, { tone: "ok" }),
      onError: (error) => toast(messageOf(error), { tone: "fail" }),
    });
  const copy = (text: string, what: string) =>
    void navigator.clipboard.writeText(text).then(() => toast(`${what} is copied.`, { tone: "ok" }));
  const address = `${window.location.origin}${collection.path}/${encodeURIComponent(textOf(id))}`;

  const items: (MenuItem | "line")[] = [
    ...(isDeleted
      ? [{ label: "Restore", icon: RotateCcw, onSelect: bringBack, reason: denial }]
      : [{ label: denial ? "Look at all of it" : "Edit", icon: Pencil, onSelect: () => onOpen(row) }]),
    { label: "Copy as JSON", icon: Braces, onSelect: () => copy(JSON.stringify(row, null, 2), "The row") },
    {
      label: "Copy as curl",
      icon: Terminal,
      onSelect: () => copy(curl({ method: "GET", url: address }), "The command"),
    },
    "line",
    ...(collection.soft_delete && !isDeleted
      ? [
          {
            label: "Delete",
            icon: Trash2,
            danger: true,
            reason: deletionDenial,
            onSelect: () => onDelete({ row, isHard: false }),
          },
        ]
      : []),
    {
      label: "Delete for good",
      icon: Trash2,
      danger: true,
      reason: deletionDenial,
      onSelect: () => onDelete({ row, isHard: true }),
    },
  ];
  return (
    <Menu
      trigger={
        <IconButton icon={Ellipsis} label={`Actions of ${name}`} size="small" busy={restore.isPending} />
      }
      items={items}
    />
  );
}
