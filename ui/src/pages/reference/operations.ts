import type { Content, OpenApi, Parameter, Response, Schema } from "../../api/openapi";

/** An operation of the API. */
export interface Operation {
  id: string;
  method: string;
  path: string;
  /** What it belongs to: `pipelines`. */
  noun: string;
  summary: string;
  /** Who may call it, in words. */
  access: string;
  parameters: Parameter[];
  body: Content | null;
  /** The answers by their status; `default` is the form of every problem. */
  responses: [status: string, response: Response][];
}

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/** Every operation, in the order of the document. */
export function operationsOf(document: OpenApi): Operation[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([method]) => METHODS.includes(method.toUpperCase()))
      .sort(([a], [b]) => METHODS.indexOf(a.toUpperCase()) - METHODS.indexOf(b.toUpperCase()))
      .map(([method, operation]) => ({
        id: operation.operationId,
        method: method.toUpperCase(),
        path,
        noun: nounOf(operation.tags?.[0] ?? ""),
        summary: operation.summary ?? "",
        access: accessWords(operation["x-levada-rule"] ?? "signed"),
        parameters: operation.parameters ?? [],
        body: operation.requestBody?.content ?? null,
        responses: Object.entries(operation.responses),
      })),
  );
}

/** What stands above the operations that belong together. */
function nounOf(tag: string): string {
  if (tag === "" || tag === "openapi.json") return "server";
  return tag === "connection-test" ? "connections" : tag;
}

export function nounTitle(noun: string): string {
  const words = noun.replaceAll("-", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Who may call an operation, as its rule says. */
export function accessWords(rule: string): string {
  const [kind, role] = rule.split(":");
  if (kind === "role") return `Takes the role ${role}`;
  if (kind === "pipeline") return `Takes the role ${role} on the pipeline`;
  if (kind === "public") return "For anybody";
  if (kind === "metrics") return "For this machine, or with a credential";
  return "For anybody who is signed in";
}

/** Operations by what they belong to, those of the data API last. */
export function grouped(operations: Operation[]): [noun: string, operations: Operation[]][] {
  const groups = new Map<string, Operation[]>();
  for (const operation of operations)
    groups.set(operation.noun, [...(groups.get(operation.noun) ?? []), operation]);
  const isServed = ([, [first]]: [string, Operation[]]) => Number(first?.path.startsWith("/v1/"));
  return [...groups].sort((a, b) => isServed(a) - isServed(b));
}

/** Whether every word that is looked for occurs in an operation. */
export function found(operation: Operation, text: string): boolean {
  const all =
    `${operation.method} ${operation.path} ${operation.id} ${operation.summary} ${operation.noun}`.toLowerCase();
  return text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => all.includes(word));
}

/** A schema without its reference, and the name that it goes by. */
export function resolved(
  schema: Schema | undefined,
  document: OpenApi,
): { schema: Schema; name: string | null } {
  let [plain, name] = [schema ?? {}, null as string | null];
  for (let step = 0; plain.$ref && step < 8; step += 1) {
    name = plain.$ref.split("/").at(-1) ?? "";
    const description = plain.description;
    plain = { ...document.components.schemas[name], ...(description && { description }) };
  }
  return { schema: plain, name };
}

/** What can be a value, without the `null` of what is optional. */
export function alternatives(schema: Schema): Schema[] {
  return (schema.anyOf ?? schema.oneOf ?? []).filter((one) => one.type !== "null");
}

/** The values that a schema names, if it names them all. */
export function namedValues(schema: Schema): unknown[] | null {
  if (schema.enum) return schema.enum;
  const consts = (schema.oneOf ?? schema.anyOf ?? []).map((one) => one.const);
  return consts.length > 0 && consts.every((value) => value !== undefined) ? consts : null;
}

/** The type of a value in few words: `list of Run`, `integer`, `text or null`. */
export function typeWords(schema: Schema | undefined, document: OpenApi): string {
  const { schema: plain, name } = resolved(schema, document);
  const named = namedValues(plain);
  if (named) return name ?? named.map(String).join(" | ");
  const some = alternatives(plain);
  if (some.length > 0) {
    const isOptional = [...(plain.anyOf ?? []), ...(plain.oneOf ?? [])].some((one) => one.type === "null");
    const words = name ?? some.map((one) => typeWords(one, document)).join(" or ");
    return isOptional ? `${words} or null` : words;
  }
  const types = [plain.type ?? (plain.properties ? "object" : "any value")].flat();
  const words = types.map((type) => {
    if (type === "array") return `list of ${typeWords(plain.items, document)}`;
    if (type === "object") return name ?? "object";
    if (type === "string") return plain.format ? (FORMATS[plain.format] ?? plain.format) : "text";
    return type;
  });
  return words.join(" or ");
}

const FORMATS: Record<string, string> = {
  "date-time": "instant",
  date: "date",
  password: "secret",
  uuid: "UUID",
};
const DEPTH_MAX = 4;

/** A value that fits a schema, to show what a body looks like: what is required, and nothing else. */
export function example(schema: Schema | undefined, document: OpenApi, depth = 0): unknown {
  const { schema: plain, name } = resolved(schema, document);
  if (plain.default !== undefined) return plain.default;
  if (plain.const !== undefined) return plain.const;
  const named = namedValues(plain);
  if (named) return named[0];
  const [first] = alternatives(plain);
  if (first) return example(first, document, depth);
  const type = [plain.type ?? (plain.properties ? "object" : "null")].flat().find((one) => one !== "null");
  switch (type) {
    case "object": {
      const wanted = plain.required ?? Object.keys(plain.properties ?? {}).slice(0, 1);
      if (depth >= DEPTH_MAX) return {};
      return Object.fromEntries(
        wanted.map((key) => [key, example(plain.properties?.[key], document, depth + 1)]),
      );
    }
    case "array":
      return depth >= DEPTH_MAX ? [] : [example(plain.items, document, depth + 1)];
    case "integer":
    case "number":
      return plain.minimum ?? 1;
    case "boolean":
      return true;
    case "string":
      if (plain.format === "date-time" || name === "Timestamp") return "2026-01-31T06:00:00Z";
      if (plain.format === "date") return "2026-01-31";
      if (plain.format === "uuid") return "00000000-0000-0000-0000-000000000000";
      return "...";
    default:
      return null;
  }
}
