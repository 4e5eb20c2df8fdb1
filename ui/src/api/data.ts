import { answer, api, versioned, type Versioned } from "./client";
import type { Row } from "../format/rows";
import type { Page } from "./model";

export type { Row };

interface Init {
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  parseAs?: "json" | "blob" | "text";
}

/** Calls an operation at an address that only the project knows. */
function call<T>(
  method: "get" | "post" | "patch" | "delete",
  address: string,
  init: Init = {},
): Promise<{ data?: T; response: Response }> {
  return api.request(method as never, address as never, init as never) as Promise<{
    data?: T;
    response: Response;
  }>;
}

function withQuery(path: string, query: URLSearchParams): string {
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

function atKey(path: string, key: unknown, rest = ""): string {
  return `${path}/${encodeURIComponent(String(key))}${rest}`;
}

function condition(etag: string | null): Record<string, string> {
  return etag ? { "If-Match": etag } : {};
}

export function listRows(path: string, query: URLSearchParams, signal?: AbortSignal): Promise<Page<Row>> {
  return answer(call<Page<Row>>("get", withQuery(path, query), signal ? { signal } : {}));
}

/** A row, with the version that a change of it is to be based on. */
export function readRow(path: string, key: unknown, signal?: AbortSignal): Promise<Versioned<Row>> {
  return versioned(call<Row>("get", atKey(path, key), signal ? { signal } : {}));
}

export function addRow(path: string, row: Row): Promise<Row> {
  return answer(call<Row>("post", path, { body: row }));
}

/** Changes some values of a row, unless somebody else changed it since it had this version. */
export function changeRow(
  path: string,
  key: unknown,
  change: Row,
  etag: string | null,
): Promise<Versioned<Row>> {
  return versioned(call<Row>("patch", atKey(path, key), { body: change, headers: condition(etag) }));
}

export async function deleteRow(path: string, key: unknown, isHard: boolean): Promise<void> {
  await call("delete", atKey(path, key, isHard ? "?hard=true" : ""));
}

export function restoreRow(path: string, key: unknown): Promise<Row> {
  return answer(call<Row>("post", atKey(path, key, "/restore"), { body: {} }));
}

/** The rows of a report. */
export function readReport(path: string, query: URLSearchParams, signal?: AbortSignal): Promise<Row[]> {
  return answer(call<Row[]>("get", withQuery(path, query), signal ? { signal } : {}));
}

/** A report as a file, with the name that the server gives it. */
export async function downloadReport(
  path: string,
  query: URLSearchParams,
): Promise<{ name: string; content: Blob }> {
  const { data, response } = await call<Blob>("get", withQuery(path, query), { parseAs: "blob" });
  const name = /filename="([^"]+)"/.exec(response.headers.get("content-disposition") ?? "")?.[1];
  return { name: name ?? "report", content: data as Blob };
}
