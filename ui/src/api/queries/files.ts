import { answer, api } from "../client";
import { keys } from "../keys";
import type { Page } from "../model";
import { pagedOptions } from "../pages";

/** A file or an object behind a connection. */
export interface ConnectionFile {
  path: string;
  bytes: number;
  modified_at: string;
}

/** The files of a connection, below a folder or by a wildcard. */
export function connectionFilesOptions(connection: string, path: string) {
  return pagedOptions(
    keys.connections.part(connection, "files", path),
    (page, signal) =>
      answer(
        api.GET(
          "/api/v1/connections/{connection}/files" as never,
          { params: { path: { connection }, query: { path, ...page } }, signal } as never,
        ),
      ) as Promise<Page<ConnectionFile>>,
  );
}

/** Where a file of a connection can be taken away. */
export function connectionFileAddress(connection: string, path: string): string {
  return `/api/v1/connections/${encodeURIComponent(connection)}/files/download?${new URLSearchParams({ path })}`;
}
