import { fieldLabel } from "./field-label";

/** A JSON schema, as far as forms understand it. */
export interface JsonSchema {
  $ref?: string;
  $defs?: Record<string, JsonSchema>;
  type?: string | string[];
  title?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  const?: unknown;
  format?: string;
  writeOnly?: boolean;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  additionalProperties?: boolean | JsonSchema;
  items?: JsonSchema;
  oneOf?: JsonSchema[];
  anyOf?: JsonSchema[];
  allOf?: JsonSchema[];
}

interface Common {
  label: string;
  description: string | undefined;
  default: unknown;
}

/** What kind of control a value gets. */
export type Shape = Common &
  (
    | {
        kind: "text";
        isSecret: boolean;
        isNumberToo: boolean;
        minLength?: number;
        maxLength?: number;
        pattern?: string;
      }
    | { kind: "number"; isInteger: boolean; minimum?: number; maximum?: number }
    | { kind: "flag" }
    | { kind: "enum"; options: { value: string; description: string | undefined }[] }
    | { kind: "object"; fields: FieldShape[] }
    | { kind: "list"; item: Shape }
    | { kind: "map"; value: Shape }
    | { kind: "choice"; options: Shape[] }
    | { kind: "json" }
  );

export interface FieldShape {
  name: string;
  isRequired: boolean;
  shape: Shape;
}

/** Deeper than this nobody wants a form; a schema that contains itself ends here too. */
const DEPTH_MAX = 6;

/** The controls for a schema. */
export function shapeOf(schema: JsonSchema, root: JsonSchema = schema, name = "", depth = 0): Shape {
  const { schema: plain, description } = resolved(schema, root);
  const label = plain.title && depth > 0 ? plain.title : fieldLabel(name);
  const common: Common = {
    label,
    description: saying(description, label),
    default: schema.default ?? plain.default,
  };
  if (depth > DEPTH_MAX) return { ...common, kind: "json" };
  const inner = (child: JsonSchema, childName: string) => shapeOf(child, root, childName, depth + 1);
  const options = (plain.oneOf ?? plain.anyOf)?.map((option) => ({ ...resolved(option, root) }));
  if (options) {
    if (options.every(({ schema: option }) => option.const !== undefined || option.enum?.length === 1)) {
      const value = ({ const: only, enum: list }: JsonSchema) => String(only ?? list?.[0]);
      return {
        ...common,
        kind: "enum",
        options: options.map(({ schema: option, description: says }) => ({
          value: value(option),
          description: says,
        })),
      };
    }
    const kinds = options.map(({ schema: option }) => typeOf(option));
    if (kinds.every((kind) => kind === "integer" || kind === "number" || kind === "string")) {
      const isSecret = options.some(({ schema: option }) => option.writeOnly);
      return { ...common, kind: "text", isSecret, isNumberToo: kinds.some((kind) => kind !== "string") };
    }
    return {
      ...common,
      kind: "choice",
      options: options.map(({ schema: option }, index) =>
        inner(option, option.title ?? titleOf(option, index)),
      ),
    };
  }
  if (plain.enum)
    return {
      ...common,
      kind: "enum",
      options: plain.enum
        .filter((one) => one !== null)
        .map((one) => ({ value: String(one), description: undefined })),
    };
  switch (typeOf(plain)) {
    case "string":
      return {
        ...common,
        kind: "text",
        isSecret: plain.writeOnly === true || plain.format === "password",
        isNumberToo: false,
        ...picked(plain, "minLength", "maxLength", "pattern"),
      };
    case "integer":
    case "number":
      return {
        ...common,
        kind: "number",
        isInteger: typeOf(plain) === "integer",
        ...picked(plain, "minimum", "maximum"),
      };
    case "boolean":
      return { ...common, kind: "flag" };
    case "array":
      return plain.items
        ? { ...common, kind: "list", item: inner(plain.items, "") }
        : { ...common, kind: "json" };
    case "object":
      if (plain.properties) {
        const fields = Object.entries(plain.properties).map(([field, child]) => ({
          name: field,
          isRequired: plain.required?.includes(field) ?? false,
          shape: inner(child, field),
        }));
        return { ...common, kind: "object", fields };
      }
      return typeof plain.additionalProperties === "object"
        ? { ...common, kind: "map", value: inner(plain.additionalProperties, "") }
        : { ...common, kind: "json" };
    default:
      return { ...common, kind: "json" };
  }
}

/** Mistakes by the path of the field (`tls.mode`), before anything is sent. */
export function mistakesIn(shape: Shape, value: unknown, path = ""): Record<string, string> {
  switch (shape.kind) {
    case "object": {
      const object = isObject(value) ? value : {};
      const found: Record<string, string> = {};
      for (const field of shape.fields) {
        const [inner, at] = [object[field.name], path ? `${path}.${field.name}` : field.name];
        if (inner === undefined || inner === null || inner === "") {
          if (field.isRequired && field.shape.kind !== "object")
            found[at] = `${field.shape.label} is needed.`;
        } else Object.assign(found, mistakesIn(field.shape, inner, at));
      }
      return found;
    }
    case "list": {
      const items = Array.isArray(value) ? (value as unknown[]) : [];
      return Object.assign(
        {},
        ...items.map((item, index) => mistakesIn(shape.item, item, `${path}.${index}`)),
      );
    }
    case "map":
      return Object.assign(
        {},
        ...Object.entries(isObject(value) ? value : {}).map(([key, item]) =>
          mistakesIn(shape.value, item, `${path}.${key}`),
        ),
      );
    case "number": {
      const number = Number(value);
      if (!Number.isFinite(number) || (shape.isInteger && !Number.isInteger(number)))
        return { [path]: `${shape.label} is a ${shape.isInteger ? "whole " : ""}number.` };
      if (shape.minimum !== undefined && number < shape.minimum)
        return { [path]: `At least ${shape.minimum}.` };
      if (shape.maximum !== undefined && number > shape.maximum)
        return { [path]: `At most ${shape.maximum}.` };
      return {};
    }
    case "text": {
      const text = String(value);
      if (shape.minLength !== undefined && text.length < shape.minLength)
        return { [path]: `At least ${shape.minLength} characters.` };
      if (shape.maxLength !== undefined && text.length > shape.maxLength)
        return { [path]: `At most ${shape.maxLength} characters.` };
      if (shape.pattern !== undefined && !new RegExp(shape.pattern, "u").test(text))
        return { [path]: `${shape.label} does not look right.` };
      return {};
    }
    default:
      return {};
  }
}

/** A value of an object's field set, or taken away where it is undefined. */
export function withField(
  object: Record<string, unknown>,
  name: string,
  value: unknown,
): Record<string, unknown> {
  const { [name]: _before, ...rest } = object;
  return value === undefined ? rest : { ...object, [name]: value };
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Follows references, joins `allOf`, and leaves out the `null` of what is optional. The words nearest to the field count. */
function resolved(
  schema: JsonSchema,
  root: JsonSchema,
): { schema: JsonSchema; description: string | undefined } {
  let [plain, description] = [schema, schema.description];
  for (let step = 0; step < DEPTH_MAX; step += 1) {
    const alternatives = plain.anyOf ?? plain.oneOf;
    const some = alternatives?.filter((option) => option.type !== "null");
    if (plain.$ref) plain = { ...target(plain.$ref, root) };
    else if (plain.allOf)
      plain = Object.assign({}, ...plain.allOf.map((part) => resolved(part, root).schema), {
        ...plain,
        allOf: undefined,
      });
    else if (alternatives && some?.length === 1 && some[0]) plain = some[0];
    else if (alternatives && some && some.length < alternatives.length)
      plain = { ...plain, anyOf: some, oneOf: undefined };
    else break;
    description ??= plain.description;
  }
  return { schema: plain, description };
}

/** A description without its marks; none where it says no more than the label. */
function saying(description: string | undefined, label: string): string | undefined {
  const text = description?.replaceAll(/\[`?([^\]`]+)`?\]/g, "$1").replaceAll("`", "");
  return text?.replace(/\.$/, "").toLowerCase() === label.toLowerCase() ? undefined : text;
}

function target(ref: string, root: JsonSchema): JsonSchema {
  const name = ref.split("/").at(-1) ?? "";
  return root.$defs?.[name] ?? {};
}

function typeOf(schema: JsonSchema): string | undefined {
  const { type } = schema;
  if (Array.isArray(type)) return type.find((one) => one !== "null");
  return (
    type ?? (schema.properties ? "object" : schema.const !== undefined ? typeof schema.const : undefined)
  );
}

function titleOf(schema: JsonSchema, index: number): string {
  const only = Object.keys(schema.properties ?? {})[0];
  return only ?? schema.description?.split(/[.,;]/)[0] ?? typeOf(schema) ?? `option ${index + 1}`;
}

function picked<K extends keyof JsonSchema>(
  schema: JsonSchema,
  ...names: K[]
): { [Name in K]?: NonNullable<JsonSchema[Name]> } {
  const entries = names
    .filter((name) => schema[name] !== undefined && schema[name] !== null)
    .map((name) => [name, schema[name]]);
  return Object.fromEntries(entries) as { [Name in K]?: NonNullable<JsonSchema[Name]> };
}
