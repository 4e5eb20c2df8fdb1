import createClient from "openapi-fetch";
import { ApiError } from "./error";
import type { paths } from "./schema";

const SAFE = new Set(["GET", "HEAD"]);

/** The API. Every answer that tells of a problem is thrown as an `ApiError`. */
export const api = createClient<paths>({ baseUrl: window.location.origin });

api.use({
  onRequest({ request }) {
    if (!SAFE.has(request.method)) request.headers.set("X-Levada-CSRF", "1");
    return request;
  },
  async onResponse({ response }) {
    if (!response.ok) throw await ApiError.of(response);
  },
  onError({ error }) {
    return error instanceof Error && error.name !== "AbortError" ? ApiError.unreachable(error) : undefined;
  },
});

/** What an operation answers. */
export async function answer<T>(call: Promise<{ data?: T; response: Response }>): Promise<T> {
  const { data } = await call;
  return data as T;
}

/** What an operation answers, with the version to send as `If-Match` when it is changed. */
export async function versioned<T>(call: Promise<{ data?: T; response: Response }>): Promise<Versioned<T>> {
  const { data, response } = await call;
  return { data: data as T, etag: response.headers.get("etag") };
}

export interface Versioned<T> {
  data: T;
  etag: string | null;
}

/** A key by which what one click starts is started once, however often the request is sent. */
export function idempotencyKey(): { "Idempotency-Key": string } {
  return { "Idempotency-Key": crypto.randomUUID() };
}
