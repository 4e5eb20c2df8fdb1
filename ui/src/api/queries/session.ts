import { queryOptions, useMutation, useSuspenseQuery, type QueryClient } from "@tanstack/react-query";
import { answer, api } from "../client";
import { ApiError } from "../error";
import { keys } from "../keys";
import type { Me } from "../model";

/** Who uses this browser; null for somebody who has not signed in. */
export const sessionOptions = queryOptions({
  queryKey: keys.session,
  queryFn: async ({ signal }): Promise<Me | null> => {
    try {
      return await answer(api.GET("/api/v1/session", { signal }));
    } catch (error) {
      if (error instanceof ApiError && error.isStranger) return null;
      throw error;
    }
  },
  staleTime: Infinity,
});

/** How people can sign in here. */
export const waysInOptions = queryOptions({
  queryKey: keys.waysIn,
  queryFn: ({ signal }) => answer(api.GET("/api/v1/ways-in", { signal })),
});

/** Who uses this browser. Only for pages behind the sign-in. */
export function useMe(): Me {
  const { data } = useSuspenseQuery(sessionOptions);
  return data ?? { name: "", role: "viewer", grants: [] };
}

export function useSignIn() {
  return useMutation({
    mutationFn: (body: { name: string; password: string }) => answer(api.POST("/api/v1/session", { body })),
    onSuccess: enter,
  });
}

export function useSetUp() {
  return useMutation({
    mutationFn: (body: { secret: string; name: string; password: string }) =>
      answer(api.POST("/api/v1/setup", { body })),
    onSuccess: enter,
  });
}

export function useSignOut() {
  return useMutation({
    mutationFn: () => answer(api.DELETE("/api/v1/session")),
    // nothing of one person stays for the next one
    onSuccess: (_data, _variables, _result, { client }) => {
      client.setQueryData(keys.session, null);
      client.removeQueries({ predicate: (query) => query.queryKey[0] !== keys.session[0] });
    },
  });
}

export function useChangePassword() {
  return useMutation({
    mutationFn: (body: { old: string; new: string }) => answer(api.PUT("/api/v1/session/password", { body })),
  });
}

function enter(me: Me, _variables: unknown, _result: unknown, { client }: { client: QueryClient }): void {
  client.setQueryData(keys.session, me);
  void client.invalidateQueries({ queryKey: keys.waysIn });
}
