import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, type LinkProps } from "@tanstack/react-router";
import { Cable, ChevronRight, LayoutDashboard, Workflow, type LucideIcon } from "lucide-react";
import { connectionsOptions } from "../../api/queries/connections";
import { overviewOptions } from "../../api/queries/overview";
import { LoadDemo } from "../../components/LoadDemo";
import { plural } from "../../format/numbers";

/** What to do after the set-up: the first connection, a demo, or a look at what the project already has. */
export function NextSteps() {
  const { data } = useInfiniteQuery(connectionsOptions({}));
  const { data: overview } = useQuery(overviewOptions);
  const known = data?.pages[0]?.items.length ?? 0;
  return (
    <>
      <ul className="-mx-2 flex flex-col">
        <Step icon={Cable} link={{ to: "/connections/new" }} title="Add a connection">
          {known > 0
            ? `The project has ${plural(known, "connection")} already.`
            : "A database, a folder, or a bucket."}
        </Step>
        <Step icon={Workflow} link={{ to: "/pipelines/new" }} title="Make a pipeline">
          Choose a source, what to load, and where to.
        </Step>
        <Step icon={LayoutDashboard} link={{ to: "/" }} title="Look around">
          See what runs, and what has run.
        </Step>
      </ul>
      {overview?.pipelines.total === 0 && (
        <div className="mt-4 flex items-center gap-3 border-t pt-4">
          <p className="grow text-xs text-ink-2">
            Or see it at work first: orders of a made-up shop, some more every minute. It can be deleted
            again.
          </p>
          <LoadDemo />
        </div>
      )}
    </>
  );
}

interface StepProps {
  icon: LucideIcon;
  title: string;
  link: LinkProps;
  children: string;
}

function Step({ icon: Icon, title, link, children }: StepProps) {
  return (
    <li>
      <Link {...link} className="flex items-center gap-3 rounded px-2 py-2.5 hover:bg-hover">
        <Icon className="size-5 shrink-0 text-accent" strokeWidth={1.5} aria-hidden />
        <span className="grow">
          <span className="block font-medium">{title}</span>
          <span className="block text-xs text-ink-2">{children}</span>
        </span>
        <ChevronRight className="size-4 text-ink-3" aria-hidden />
      </Link>
    </li>
  );
}
