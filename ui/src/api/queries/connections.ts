import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { sameConnection, type ConnectionBody } from "../../format/connection-draft";
import { answer, api, versioned, type Versioned } from "../client";
import { ApiError } from "../error";
import { keys } from "../keys";
import type { Connection } from "../model";
import { pagedOptions } from "../pages";

export interface ConnectionFilter {
  search?: string;
  connector?: string;
}

export function connectionsOptions(filter: ConnectionFilter) {
  return pagedOptions(keys.connections.list(filter), (page, signal) =>
    answer(api.GET("/api/v1/connections", { params: { query: { ...filter, ...page } }, signal })),
  );
}

/** Every connection at once, for choosing one of them. */
export const allConnectionsOptions = queryOptions({
  queryKey: keys.connections.list({ all: true }),
  queryFn: async ({ signal }) =>
    (await answer(api.GET("/api/v1/connections", { params: { query: { limit: 1000 } }, signal }))).items,
});

/** A connection with the version to change it by. */
export function connectionOptions(name: string) {
  return queryOptions({
    queryKey: keys.connections.one(name),
    queryFn: ({ signal }) => readConnection(name, signal),
  });
}

function readConnection(name: string, signal?: AbortSignal) {
  const params = { path: { connection: name } };
  return versioned(api.GET("/api/v1/connections/{connection}", { params, ...(signal && { signal }) }));
}

/** The kinds of systems that this build can talk to. */
export const connectorsOptions = queryOptions({
  queryKey: keys.connectors,
  queryFn: ({ signal }) =>
    answer(api.GET("/api/v1/connectors", { params: { query: { limit: 1000 } }, signal })),
  staleTime: Infinity,
});

/** Somebody else has changed the same connection. */
export class ConnectionConflict extends Error {
  readonly theirs: Versioned<Connection>;

  constructor(theirs: Versioned<Connection>) {
    super("Somebody else has changed this connection.");
    this.name = "ConnectionConflict";
    this.theirs = theirs;
  }
}

export interface SaveConnection {
  name: string;
  body: ConnectionBody;
  /** What the change starts from; none for a connection that is new. */
  base: Versioned<Connection> | null;
}

/**
 * Makes or changes a connection. The version is that of the whole project document: a change to something else in it is
 * no conflict, and the change is sent again.
 */
export function useSaveConnection() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async ({ name, body, base }: SaveConnection) => {
      const put = (etag: string | null | undefined) =>
        answer(
          api.PUT("/api/v1/connections/{connection}", {
            params: { path: { connection: name }, header: etag ? { "If-Match": etag } : {} },
            body,
          }),
        );
      try {
        return await put(base?.etag);
      } catch (error) {
        if (!base || !(error instanceof ApiError) || !error.isStale) throw error;
        const theirs = await readConnection(name);
        if (!sameConnection(theirs.data, base.data)) throw new ConnectionConflict(theirs);
        return await put(theirs.etag);
      }
    },
    onSuccess: (_saved, { name }) => {
      client.removeQueries({ queryKey: keys.contents(name) });
      return client.invalidateQueries({ queryKey: keys.connections.all });
    },
  });
}

/** Takes a connection out that nothing uses. */
export function useDeleteConnection() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (name: string) => {
      const { etag } = await readConnection(name);
      const params = { path: { connection: name }, header: etag ? { "If-Match": etag } : {} };
      await api.DELETE("/api/v1/connections/{connection}", { params });
    },
    onSuccess: (_done, name) => {
      client.removeQueries({ queryKey: keys.connections.one(name) });
      client.removeQueries({ queryKey: keys.contents(name) });
      return client.invalidateQueries({ queryKey: keys.connections.all });
    },
  });
}

/** Tries settings that are not saved; `***` stands for a secret of the saved connection of that name. */
export function useTestSettings() {
  return useMutation({
    mutationFn: ({ name, body }: { name: string | null; body: ConnectionBody }) =>
      answer(api.POST("/api/v1/connection-test", { body: { ...(name && { connection: name }), ...body } })),
  });
}
