import { SearchX } from "lucide-react";
import { ButtonLink } from "../../../components/ButtonLink";
import { EmptyState } from "../../../components/EmptyState";

interface NoSuchTaskProps {
  run: number;
  task: string;
}

/** What stands for a task that a link names, and that the run does not have. */
export function NoSuchTask({ run, task }: NoSuchTaskProps) {
  return (
    <section aria-label={`Task ${task}`} className="min-w-0 grow">
      <EmptyState
        icon={SearchX}
        title={`This run has no task ${task}`}
        action={
          <ButtonLink to="/runs/$id" params={{ id: String(run) }} look="primary">
            Show the run
          </ButtonLink>
        }
      >
        The link may be mistyped, or of a run of another version.
      </EmptyState>
    </section>
  );
}
