import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { answer, api, versioned } from "../client";
import { keys } from "../keys";
import type { Role } from "../model";
import { pagedOptions } from "../pages";

export interface Granted {
  tag: string;
  role: Role;
}

export function usersOptions(filter: { role?: Role; disabled?: boolean }) {
  return pagedOptions(keys.admin("users", filter), (page, signal) =>
    answer(api.GET("/api/v1/users", { params: { query: { ...filter, ...page } }, signal })),
  );
}

/** A user, with the version to change them by. */
export function userOptions(user: string) {
  return queryOptions({
    queryKey: keys.admin("user", { user }),
    queryFn: ({ signal }) =>
      versioned(api.GET("/api/v1/users/{user}", { params: { path: { user } }, signal })),
    // a change is based on what is shown, so that is read anew each time
    staleTime: 0,
    gcTime: 0,
  });
}

export interface NewUser {
  name: string;
  display_name?: string;
  email?: string;
  password?: string;
  role: Role;
  grants: Granted[];
}

export function useCreateUser() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: NewUser) => answer(api.POST("/api/v1/users", { body })),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.admin("users") }),
  });
}

export interface UserChange {
  display_name?: string;
  email?: string | null;
  password?: string;
  role?: Role;
  grants?: Granted[];
  disabled?: boolean;
}

export function useUpdateUser() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ user, etag, change }: { user: string; etag: string | null; change: UserChange }) =>
      answer(
        api.PATCH("/api/v1/users/{user}", {
          params: { path: { user }, header: etag ? { "If-Match": etag } : {} },
          body: change,
        }),
      ),
    onSettled: () => client.invalidateQueries({ queryKey: keys.admin("users") }),
  });
}

export function useRemoveUser() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (user: string) => {
      const { etag } = await versioned(api.GET("/api/v1/users/{user}", { params: { path: { user } } }));
      await api.DELETE("/api/v1/users/{user}", {
        params: { path: { user }, header: etag ? { "If-Match": etag } : {} },
      });
    },
    onSuccess: () => client.invalidateQueries({ queryKey: keys.admin("users") }),
  });
}

/** API tokens: one's own, or those of everybody for an administrator. */
export function tokensOptions(all: boolean) {
  return pagedOptions(keys.admin("tokens", { all }), (page, signal) =>
    answer(api.GET("/api/v1/tokens", { params: { query: { ...(all && { all }), ...page } }, signal })),
  );
}

export interface NewToken {
  name: string;
  role: Role;
  tags?: string[];
  days: number;
}

export function useCreateToken() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: NewToken) => answer(api.POST("/api/v1/tokens", { body })),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.admin("tokens") }),
  });
}

export function useRevokeToken() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (token: number) => {
      await api.DELETE("/api/v1/tokens/{token}", { params: { path: { token } } });
    },
    onSuccess: () => client.invalidateQueries({ queryKey: keys.admin("tokens") }),
  });
}

export function secretsOptions(search: string | undefined) {
  return pagedOptions(keys.admin("secrets", { search }), (page, signal) =>
    answer(api.GET("/api/v1/secrets", { params: { query: { ...(search && { search }), ...page } }, signal })),
  );
}

export function useSetSecret() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async ({ secret, value }: { secret: string; value: string }) => {
      await api.PUT("/api/v1/secrets/{secret}", { params: { path: { secret } }, body: { value } });
    },
    onSuccess: () => client.invalidateQueries({ queryKey: keys.admin("secrets") }),
  });
}

export function useRemoveSecret() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (secret: string) => {
      await api.DELETE("/api/v1/secrets/{secret}", { params: { path: { secret } } });
    },
    onSuccess: () => client.invalidateQueries({ queryKey: keys.admin("secrets") }),
  });
}

export interface AuditFilter {
  actor?: string;
  action?: string;
  object?: string;
  outcome?: string;
  since?: string;
  until?: string;
}

export function auditOptions(filter: AuditFilter) {
  return pagedOptions(keys.admin("audit", filter), (page, signal) =>
    answer(api.GET("/api/v1/audit", { params: { query: { ...filter, ...page } }, signal })),
  );
}

/** Checks the whole audit log; takes a while on a long one, and so is asked for. */
export function useVerifyAudit() {
  return useMutation({ mutationFn: () => answer(api.GET("/api/v1/audit/verify")) });
}

export const settingsOptions = queryOptions({
  queryKey: keys.settings,
  queryFn: ({ signal }) => answer(api.GET("/api/v1/settings", { signal })),
});
