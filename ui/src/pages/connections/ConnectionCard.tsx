import { Link, useNavigate } from "@tanstack/react-router";
import { Ellipsis, PlugZap, Settings2, Trash2, Workflow } from "lucide-react";
import { useState } from "react";
import type { Connection } from "../../api/model";
import { useTestConnection } from "../../api/queries/connection-contents";
import { useDenial } from "../../api/roles";
import { ConnectorMark } from "../../components/ConnectorMark";
import { DeleteConnection } from "../../components/connection/DeleteConnection";
import { Health } from "../../components/connection/Health";
import { UsedBy } from "../../components/connection/UsedBy";
import { IconButton } from "../../components/IconButton";
import { Menu } from "../../components/Menu";

interface ConnectionCardProps {
  connection: Connection;
  /** The title of its connector. */
  title: string | undefined;
  /** It is being tried together with the others. */
  isTesting: boolean;
}

/** One connection: where it leads, whether it worked when last tried, and who uses it. */
export function ConnectionCard({ connection, title, isTesting }: ConnectionCardProps) {
  const { name, connector, address, problem, tested, used_by: users } = connection;
  const test = useTestConnection();
  const navigate = useNavigate();
  const [isDeleting, setDeleting] = useState(false);
  const noTest = useDenial("operator");
  const noEdit = useDenial("editor");

  return (
    <li className="flex min-w-0 flex-col rounded-lg border bg-raised [contain-intrinsic-size:auto_132px] [content-visibility:auto]">
      <div className="flex items-start gap-2.5 p-3 pb-2">
        <span className="mt-0.5">
          <ConnectorMark connector={connector} />
        </span>
        <div className="min-w-0 grow">
          <Link
            to="/connections/$name"
            params={{ name }}
            className="block truncate font-semibold hover:text-accent"
            title={name}
          >
            {name}
          </Link>
          <p className="truncate text-xs text-ink-2">{title ?? connector ?? "Kind not known"}</p>
        </div>
        <Menu
          trigger={<IconButton icon={Ellipsis} label={`More about ${name}`} size="small" />}
          items={[
            { label: "Test", icon: PlugZap, onSelect: () => test.mutate(name), reason: noTest },
            {
              label: "Settings",
              icon: Settings2,
              onSelect: () =>
                void navigate({ to: "/connections/$name", params: { name }, search: { part: "settings" } }),
            },
            {
              label: "New pipeline from it",
              icon: Workflow,
              reason: noEdit,
              onSelect: () =>
                void navigate({ to: "/pipelines/new", search: { step: "streams", source: name } }),
            },
            "line",
            {
              label: "Delete",
              icon: Trash2,
              danger: true,
              reason: noEdit,
              onSelect: () => setDeleting(true),
            },
          ]}
        />
      </div>
      <p className="truncate px-3 font-mono text-xs text-ink-2" title={address ?? undefined}>
        {address ?? "leads nowhere as it is"}
      </p>
      <div className="mt-auto flex min-h-9 flex-wrap items-center gap-x-3 gap-y-1 px-3 py-2 text-xs">
        <Health
          problem={problem}
          tested={tested}
          isTesting={isTesting || test.isPending}
          error={test.error}
        />
        <span className="grow" />
        <UsedBy pipelines={users} />
      </div>
      <DeleteConnection connection={connection} open={isDeleting} onOpenChange={setDeleting} />
    </li>
  );
}
