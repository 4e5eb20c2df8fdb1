import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { answer, api } from "../client";
import { keys } from "../keys";

/** A user has so many sessions at most. */
const SESSIONS_MAX = 100;

/** Where somebody is signed in; null asks for one's own. */
export function sessionsOptions(user: string | null) {
  const query = { limit: SESSIONS_MAX };
  return queryOptions({
    queryKey: keys.admin("sessions", { user }),
    queryFn: ({ signal }) =>
      user === null
        ? answer(api.GET("/api/v1/sessions", { params: { query }, signal }))
        : answer(api.GET("/api/v1/users/{user}/sessions", { params: { path: { user }, query }, signal })),
  });
}

/** Ends one session. */
export function useEndSession(user: string | null) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (session: string) => {
      if (user === null) await api.DELETE("/api/v1/sessions/{session}", { params: { path: { session } } });
      else
        await api.DELETE("/api/v1/users/{user}/sessions/{session}", { params: { path: { user, session } } });
    },
    onSettled: () => client.invalidateQueries({ queryKey: keys.admin("sessions") }),
  });
}

/** Ends all sessions; of one's own, that of this browser goes on. */
export function useEndSessions(user: string | null) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () =>
      user === null
        ? answer(api.DELETE("/api/v1/sessions", { params: { query: { keep_current: true } } }))
        : answer(api.DELETE("/api/v1/users/{user}/sessions", { params: { path: { user } } })),
    onSettled: () => client.invalidateQueries({ queryKey: keys.admin("sessions") }),
  });
}
