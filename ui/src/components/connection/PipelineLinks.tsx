import { Link } from "@tanstack/react-router";
import { Workflow } from "lucide-react";

/** Pipelines, each with the way to it. */
export function PipelineLinks({ pipelines }: { pipelines: readonly string[] }) {
  return (
    <ul className="flex flex-col">
      {pipelines.map((name) => (
        <li key={name}>
          <Link
            to="/pipelines/$name/$tab"
            params={{ name, tab: "graph" }}
            className="flex min-h-8 items-center gap-2 rounded px-1 hover:bg-hover"
          >
            <Workflow className="size-3.5 shrink-0 text-ink-3" aria-hidden />
            <span className="truncate">{name}</span>
          </Link>
        </li>
      ))}
    </ul>
  );
}
