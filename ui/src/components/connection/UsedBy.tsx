import { Link } from "@tanstack/react-router";
import { Workflow } from "lucide-react";
import { plural } from "../../format/numbers";
import { IconButton } from "../IconButton";
import { Menu } from "../Menu";

const NAMED_MAX = 1;

/** The pipelines that use a connection: the only one by name, several behind a button. */
export function UsedBy({ pipelines }: { pipelines: readonly string[] }) {
  const [first] = pipelines;
  if (first === undefined) return <span className="text-ink-3">Not used</span>;
  if (pipelines.length <= NAMED_MAX)
    return (
      <Link
        to="/pipelines/$name/$tab"
        params={{ name: first, tab: "graph" }}
        className="inline-flex min-w-0 items-center gap-1 text-ink-2 hover:text-accent"
      >
        <Workflow className="size-3.5 shrink-0" aria-hidden />
        <span className="truncate">{first}</span>
      </Link>
    );
  return (
    <span className="inline-flex items-center gap-0.5 text-ink-2">
      {plural(pipelines.length, "pipeline")}
      <Menu
        trigger={<IconButton icon={Workflow} label="Pipelines that use it" size="small" />}
        items={pipelines.map((name) => ({
          label: name,
          link: { to: "/pipelines/$name/$tab", params: { name, tab: "graph" } },
        }))}
      />
    </span>
  );
}
