import type { OpenApi } from "../../api/openapi";
import { curl } from "../../format/curl";
import { example, type Operation } from "./operations";

/** An operation as a command, with what was filled in for its parameters. What has to be filled in stands in capitals. */
export function commandOf(
  operation: Operation,
  document: OpenApi,
  origin: string,
  values: Record<string, string>,
): string {
  const { method, parameters, body } = operation;
  const given = (name: string) => values[name] ?? "";
  const path = operation.path.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(given(name) || name.toUpperCase()),
  );
  const query = new URLSearchParams();
  const headers: [string, string][] = [];
  for (const { name, in: place, required } of parameters) {
    const value = given(name) || (required ? name.toUpperCase() : "");
    if (!value || place === "path") continue;
    if (place === "query") query.set(name, value);
    else headers.push([name.toLowerCase(), value]);
  }
  const mediaType =
    body && (Object.keys(body).find((one) => one === "application/json") ?? Object.keys(body)[0]);
  if (mediaType) headers.push(["content-type", mediaType]);
  const text = query.toString();
  return curl({
    method,
    url: `${origin}${path}${text && `?${text}`}`,
    headers,
    ...(mediaType && {
      body:
        mediaType === "application/json"
          ? JSON.stringify(example(body?.[mediaType]?.schema, document))
          : "@body",
    }),
    isDownload: /download/i.test(operation.id),
  });
}
