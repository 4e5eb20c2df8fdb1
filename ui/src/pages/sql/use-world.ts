import { useQuery, useQueryClient, type QueryClient } from "@tanstack/react-query";
import { useMemo } from "react";
import type { StreamFound } from "../../api/model";
import { streamsOptions } from "../../api/queries/connection-contents";
import { allConnectionsOptions } from "../../api/queries/connections";
import type { World } from "./complete";

/** How long a connection that could not be looked into is left alone. */
const PAUSE_MS = 60_000;

/** What there is to complete. A connection is looked into when the query names it, and then not again for a while. */
export function useWorld(): World {
  const client = useQueryClient();
  const { data } = useQuery(allConnectionsOptions);
  const streams = useMemo(() => remembered(client), [client]);
  return useMemo(() => ({ connections: (data ?? []).map(({ name }) => name), streams }), [data, streams]);
}

function remembered(client: QueryClient): World["streams"] {
  const failedAt = new Map<string, number>();
  return async (connection): Promise<readonly StreamFound[]> => {
    if (Date.now() - (failedAt.get(connection) ?? 0) < PAUSE_MS) return [];
    try {
      return (await client.fetchQuery({ ...streamsOptions(connection), retry: false })).streams;
    } catch {
      failedAt.set(connection, Date.now());
      return [];
    }
  };
}
