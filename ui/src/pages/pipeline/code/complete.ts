import type { Completion, CompletionContext, CompletionResult } from "@codemirror/autocomplete";
import type { JsonSchema } from "../../../components/schema-form/shape";
import { placeAt } from "./yaml-place";

/** Names that there are, by the key that takes them. */
type Names = Record<string, string[]>;

/** What can stand at the cursor: keys and values of the schema, and names that there are. */
export function completions(schema: JsonSchema, names: Names) {
  return (context: CompletionContext): CompletionResult | null => {
    const place = placeAt(context.state.doc.toString(), context.pos);
    if (
      !place ||
      (!context.explicit &&
        !place.word &&
        !/[:\s]$/.test(context.state.sliceDoc(context.pos - 1, context.pos)))
    )
      return null;
    const options = optionsAt(schema, place, names);
    if (options.length === 0) return null;
    return { from: context.pos - place.word.length, options, validFor: /^[\w.-]*$/ };
  };
}

/** The same for a place that is known. */
export function optionsAt(
  schema: JsonSchema,
  place: { path: string[]; isKey: boolean },
  names: Names,
): Completion[] {
  const found = place.path.reduce(
    (schemas, key) => schemas.flatMap((one) => below(one, key, schema)),
    expanded(schema, schema),
  );
  if (place.isKey) {
    const keys = new Map<string, Completion>();
    for (const one of found)
      for (const [name, child] of Object.entries(one.properties ?? {})) {
        const info = child.description ?? expanded(child, schema)[0]?.description;
        keys.set(name, {
          label: name,
          type: "property",
          apply: `${name}: `,
          ...(info && { info: info.replaceAll("`", "") }),
          ...(one.required?.includes(name) && { boost: 1, detail: "needed" }),
        });
      }
    if (keys.size > 0) return [...keys.values()];
  }
  const last = place.path.at(-1) ?? "";
  const known = (names[last] ?? []).map((label): Completion => ({ label, type: "variable" }));
  const values = found.flatMap((one): Completion[] => {
    if (one.const !== undefined)
      return [{ label: String(one.const), type: "enum", ...(one.description && { info: one.description }) }];
    if (one.enum) return one.enum.map((label) => ({ label: String(label), type: "enum" }));
    if (one.type === "boolean") return ["true", "false"].map((label) => ({ label, type: "keyword" }));
    return [];
  });
  return [...known, ...values];
}

const DEPTH_MAX = 12;

/** A schema as the forms that it can have, without references; lists stand for their items. */
function expanded(schema: JsonSchema, root: JsonSchema, depth = 0): JsonSchema[] {
  if (depth > DEPTH_MAX) return [];
  const more = (child: JsonSchema) => expanded(child, root, depth + 1);
  if (schema.$ref) {
    const target = root.$defs?.[schema.$ref.split("/").at(-1) ?? ""];
    return target ? more(target) : [];
  }
  const forms = [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])].flatMap(more);
  const items = typeof schema.items === "object" ? more(schema.items) : [];
  const own =
    schema.properties ||
    schema.const !== undefined ||
    schema.enum ||
    schema.additionalProperties ||
    schema.type
      ? [schema]
      : [];
  return [...own, ...forms, ...items];
}

function below(schema: JsonSchema, key: string, root: JsonSchema): JsonSchema[] {
  const child = schema.properties?.[key];
  if (child) return expanded(child, root);
  return typeof schema.additionalProperties === "object" ? expanded(schema.additionalProperties, root) : [];
}
