import { useQuery } from "@tanstack/react-query";
import { LogOut } from "lucide-react";
import { messageOf } from "../../../api/error";
import { sessionsOptions, useEndSessions } from "../../../api/queries/sessions";
import { Button } from "../../../components/Button";
import { toast } from "../../../components/toasts";
import { plural } from "../../../format/numbers";

/** Signs a user out everywhere; oneself everywhere but here. */
export function EndSessions({ user }: { user: string | null }) {
  const { data } = useQuery(sessionsOptions(user));
  const end = useEndSessions(user);
  const others = data?.items.filter((session) => !session.current).length ?? 0;
  return (
    <Button
      size={user === null ? "small" : "medium"}
      icon={LogOut}
      busy={end.isPending}
      reason={
        others === 0 ? (user === null ? "There is no other session." : "There is no session.") : undefined
      }
      onClick={() =>
        end.mutate(undefined, {
          onSuccess: ({ ended }) =>
            toast(`${plural(ended, "session")} ${ended === 1 ? "has" : "have"} ended.`, { tone: "ok" }),
          onError: (failure) => toast(messageOf(failure), { tone: "fail" }),
        })
      }
    >
      {user === null ? "Sign out everywhere else" : "Sign out everywhere"}
    </Button>
  );
}
