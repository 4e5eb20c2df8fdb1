import { answer, api } from "../client";
import { keys } from "../keys";
import { pagedOptions } from "../pages";

/** The files behind a connection that holds such; `path` is a folder, a path or a pattern. */
export function filesOptions(connection: string, path: string) {
  return pagedOptions(keys.contents(connection, "files", path), (page, signal) =>
    answer(
      api.GET("/api/v1/connections/{connection}/files", {
        params: { path: { connection }, query: { ...(path && { path }), ...page } },
        signal,
      }),
    ),
  );
}

/** Where the browser fetches a file from. */
export function fileAddress(connection: string, path: string): string {
  return `/api/v1/connections/${encodeURIComponent(connection)}/files/download?path=${encodeURIComponent(path)}`;
}
