import type { Connector, StreamFound } from "../../api/model";

interface Ends {
  source: Pick<Connector, "namespaces"> | undefined;
  destination: Pick<Connector, "namespaces" | "title"> | undefined;
}

/** What a stream is called at the destination, by a template; the destination may yet have to change characters of it. */
export function targetOf(
  template: string,
  stream: Pick<StreamFound, "namespace" | "table">,
  ends: Ends,
): string {
  const hasNamespaces = ends.destination?.namespaces ?? false;
  const own = hasNamespaces && ends.source?.namespaces ? (stream.namespace ?? "") : "";
  const fill = (part: string) => part.replaceAll("{namespace}", own).replaceAll("{table}", stream.table);
  const at = template.indexOf(".");
  const namespace = at < 0 ? own : fill(template.slice(0, at));
  const table = fill(at < 0 ? template || "{table}" : template.slice(at + 1));
  return hasNamespaces && namespace ? `${namespace}.${table}` : table;
}

/** What is wrong with a template, in words. */
export function templateMistake(template: string, ends: Ends): string | undefined {
  const bare = template.replaceAll("{table}", "").replaceAll("{namespace}", "");
  if (/[{}]/.test(bare)) return "The placeholders are {table} and {namespace}.";
  if (!template.includes(".")) return undefined;
  if (ends.destination && !ends.destination.namespaces)
    return `${ends.destination.title} has no namespaces: leave out the dot and what is before it.`;
  return /^\.|\.$/.test(template) ? "A name is missing beside the dot." : undefined;
}
