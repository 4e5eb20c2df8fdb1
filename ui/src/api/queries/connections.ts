import { queryOptions } from "@tanstack/react-query";
import { answer, api, versioned } from "../client";
import { keys } from "../keys";
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

/** A connection with the version to change it by. */
export function connectionOptions(name: string) {
  return queryOptions({
    queryKey: keys.connections.one(name),
    queryFn: ({ signal }) =>
      versioned(
        api.GET("/api/v1/connections/{connection}", { params: { path: { connection: name } }, signal }),
      ),
  });
}

/** The kinds of systems that this build can talk to. */
export const connectorsOptions = queryOptions({
  queryKey: keys.connectors,
  queryFn: ({ signal }) =>
    answer(api.GET("/api/v1/connectors", { params: { query: { limit: 1000 } }, signal })),
  staleTime: Infinity,
});
