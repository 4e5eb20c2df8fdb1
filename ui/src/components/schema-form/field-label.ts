import { sentence } from "../../format/status";

const ACRONYMS = new Set([
  "api",
  "aws",
  "ca",
  "csv",
  "http",
  "id",
  "json",
  "sql",
  "ssh",
  "ssl",
  "tls",
  "tsv",
  "url",
  "uri",
]);
const UNITS: Record<string, string> = { ms: "ms", s: "seconds", mb: "MB" };

/** The name of a field as people write it: `tls_ca` is `TLS CA`, `connect_timeout_s` is `Connect timeout (seconds)`. */
export function fieldLabel(name: string): string {
  const words = name.split("_");
  const unit = words.length > 1 ? UNITS[words.at(-1) ?? ""] : undefined;
  const plain = (unit ? words.slice(0, -1) : words).map((word) =>
    ACRONYMS.has(word) ? word.toUpperCase() : word,
  );
  const label = sentence(plain.join(" "));
  return unit ? `${label} (${unit})` : label;
}
