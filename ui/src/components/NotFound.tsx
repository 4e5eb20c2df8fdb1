import { Compass } from "lucide-react";
import { ButtonLink } from "./ButtonLink";
import { EmptyState } from "./EmptyState";

/** What an address shows that leads nowhere. */
export function NotFound() {
  return (
    <EmptyState
      icon={Compass}
      title="There is no such page"
      action={
        <ButtonLink to="/" look="primary">
          Go to the overview
        </ButtonLink>
      }
    >
      The address may be mistyped, or what it showed is gone.
    </EmptyState>
  );
}
