import { useQuery } from "@tanstack/react-query";
import { Monitor } from "lucide-react";
import { messageOf } from "../../../api/error";
import { sessionsOptions, useEndSession } from "../../../api/queries/sessions";
import { Button } from "../../../components/Button";
import { ErrorState } from "../../../components/ErrorState";
import { SkeletonRows } from "../../../components/SkeletonRows";
import { Tag } from "../../../components/Tag";
import { Time } from "../../../components/Time";
import { toast } from "../../../components/toasts";

/** The sessions of a user, or one's own, each with a way to end it. */
export function SessionList({ user }: { user: string | null }) {
  const { data, error, refetch } = useQuery(sessionsOptions(user));
  const end = useEndSession(user);
  if (error && !data) return <ErrorState error={error} onRetry={() => void refetch()} />;
  if (!data) return <SkeletonRows rows={2} />;
  if (data.items.length === 0) return <p className="p-3 text-ink-2">Signed in nowhere.</p>;
  return (
    <ul aria-label="Sessions">
      {data.items.map((session) => (
        <li key={session.id} className="flex items-center gap-3 border-b px-3 py-2 last:border-b-0">
          <Monitor className="size-4 shrink-0 text-ink-2" aria-hidden />
          <div className="min-w-0 grow">
            <p className="flex flex-wrap items-center gap-x-2">
              <span>
                Signed in <Time at={session.created_at} />
              </span>
              {session.current && <Tag>this browser</Tag>}
            </p>
            <p className="text-xs text-ink-2">
              last used <Time at={session.seen_at} />, ends <Time at={session.expires_at} /> at the latest
            </p>
          </div>
          {!session.current && (
            <Button
              size="small"
              busy={end.isPending && end.variables === session.id}
              onClick={() =>
                end.mutate(session.id, {
                  onSuccess: () => toast("The session has ended.", { tone: "ok" }),
                  onError: (failure) => toast(messageOf(failure), { tone: "fail" }),
                })
              }
            >
              End
            </Button>
          )}
        </li>
      ))}
    </ul>
  );
}
