import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { answer, api } from "../client";
import { keys } from "../keys";
import type { StreamFound } from "../model";

/** What lies behind a connection changes without an event; it is read again when somebody asks for it. */
const FRESH_MS = 5 * 60_000;
const STREAMS_PER_PAGE = 1000;
/** More streams than this are not listed; they can still be named by a pattern. */
const STREAMS_MAX = 20_000;

export interface StreamList {
  streams: StreamFound[];
  /** Whether there are more streams than are listed. */
  isCut: boolean;
}

/** Every stream behind a connection: searching them needs no further question to the other system. */
export function streamsOptions(connection: string) {
  return queryOptions({
    queryKey: keys.contents(connection, "streams"),
    queryFn: async ({ signal }): Promise<StreamList> => {
      const streams: StreamFound[] = [];
      let after: string | null | undefined;
      do {
        const query = { limit: STREAMS_PER_PAGE, ...(after ? { after } : {}) };
        const params = { path: { connection }, query };
        const page = await answer(api.GET("/api/v1/connections/{connection}/streams", { params, signal }));
        streams.push(...page.items);
        after = page.next;
      } while (after && streams.length < STREAMS_MAX);
      return { streams, isCut: Boolean(after) };
    },
    staleTime: FRESH_MS,
  });
}

/** The first rows of a stream. */
export function previewOptions(connection: string, stream: string) {
  return queryOptions({
    queryKey: keys.contents(connection, "preview", stream),
    queryFn: ({ signal }) => {
      const params = { path: { connection }, query: { stream } };
      return answer(api.GET("/api/v1/connections/{connection}/preview", { params, signal }));
    },
    staleTime: FRESH_MS,
  });
}

/** Tries a saved connection step by step; the server remembers what came of it. */
export function useTestConnection() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (connection: string) =>
      answer(api.POST("/api/v1/connections/{connection}/test", { params: { path: { connection } } })),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.connections.all }),
  });
}
