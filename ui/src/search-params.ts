/** Search parameters as plain texts: `?state=failed&line=120`, nothing quoted, nothing nested. */
export function parseSearch(text: string): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(text));
}

/** The other way round; what is empty is left out. */
export function stringifySearch(search: Record<string, unknown>): string {
  const entries = Object.entries(search).filter(
    ([, value]) => value !== undefined && value !== null && value !== "",
  );
  const text = new URLSearchParams(entries.map(([name, value]) => [name, String(value)])).toString();
  return text && `?${text}`;
}

/** Which parameters a page takes; others are dropped. */
export function takes<K extends string>(
  ...names: K[]
): (search: Record<string, unknown>) => Partial<Record<K, string>> {
  return (search) => {
    const known = names.flatMap((name) =>
      typeof search[name] === "string" ? [[name, search[name]] as const] : [],
    );
    return Object.fromEntries(known) as Partial<Record<K, string>>;
  };
}
