import { queryOptions } from "@tanstack/react-query";
import { answer, api } from "./client";
import { keys } from "./keys";

/** A JSON schema, as far as the API's description uses it. */
export interface Schema {
  $ref?: string;
  type?: string | string[];
  format?: string;
  description?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
  enum?: unknown[];
  const?: unknown;
  default?: unknown;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  pattern?: string;
  additionalProperties?: boolean | Schema;
  writeOnly?: boolean;
}

export interface Parameter {
  name: string;
  in: "path" | "query" | "header";
  required?: boolean;
  description?: string;
  schema?: Schema;
}

export interface Content {
  [mediaType: string]: { schema?: Schema };
}

export interface Response {
  $ref?: string;
  description?: string;
  content?: Content;
  headers?: Record<string, { description?: string }>;
}

export interface OperationObject {
  operationId: string;
  summary?: string;
  description?: string;
  tags?: string[];
  parameters?: Parameter[];
  requestBody?: { required?: boolean; content: Content };
  responses: Record<string, Response>;
  "x-levada-rule"?: string;
}

/** The API's description of itself. */
export interface OpenApi {
  info: { title: string; version: string };
  paths: Record<string, Record<string, OperationObject>>;
  components: { schemas: Record<string, Schema>; responses?: Record<string, Response> };
}

/** The description of every operation, those of collections and reports among them. */
export const openApiOptions = queryOptions({
  queryKey: keys.openapi,
  queryFn: async ({ signal }) =>
    (await answer(api.GET("/api/v1/openapi.json", { signal }))) as unknown as OpenApi,
  staleTime: 5 * 60_000,
});
