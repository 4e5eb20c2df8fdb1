import { ApiError } from "./error";

/**
 * The mistakes that an answer told of, by the fields of a form that they belong to; those that belong to none come under
 * the empty name. A place ends with the field: `["connections.shop", "port"]`.
 */
export function mistakesByField(error: unknown, fields: readonly string[]): Record<string, string> {
  if (!(error instanceof ApiError)) return {};
  const found: Record<string, string> = {};
  for (const { message, place, advice } of error.mistakes) {
    const path = place.join(".");
    const field =
      fields.find((name) => path === name || path.endsWith(`.${name}`)) ??
      fields.find((name) => message.includes(`\`${name}\``));
    const words = [message.replace(/\.?$/, "."), advice].join(" ").trim().replaceAll("`", "");
    const key = field ?? "";
    found[key] = found[key] ? `${found[key]}\n${words}` : words;
  }
  return found;
}
