interface Equivalents {
  /** The request that answers what the page shows. */
  curl: string;
  /** The command that prints it; null where there is none. */
  cli: string | null;
}

/** How to get what a page shows without it; null for pages that show nothing of the kind. */
export function equivalentsOf(
  origin: string,
  pathname: string,
  search: Partial<Record<string, string>>,
): Equivalents | null {
  const [noun, name] = pathname.split("/").filter(Boolean).map(decodeURIComponent);
  const curl = (path: string, query: Record<string, string | undefined> = {}) => {
    const given = Object.entries(query).filter((entry): entry is [string, string] => Boolean(entry[1]));
    const text = new URLSearchParams(given).toString();
    return `curl -H "authorization: Bearer $LEVADA_TOKEN" ${quoted(`${origin}/api/v1/${path}${text && `?${text}`}`)}`;
  };
  const { q, state, pipeline, cause, last, tag, level } = search;
  switch (noun) {
    case undefined:
      return { curl: curl("overview"), cli: "levada pipelines" };
    case "pipelines":
      if (name === undefined)
        return { curl: curl("pipelines", { search: q, tag, last }), cli: "levada pipelines" };
      if (name === "new") return null;
      return { curl: curl(`pipelines/${encodeURIComponent(name)}`), cli: `levada runs ${quoted(name)}` };
    case "runs": {
      if (name === "compare") return null;
      if (name !== undefined) return { curl: curl(`runs/${name}`), cli: `levada show ${name}` };
      const options = [
        pipeline && quoted(pipeline),
        state && `--state ${state}`,
        cause && `--cause ${cause}`,
      ];
      return {
        curl: curl("runs", { search: q, pipeline, state, cause }),
        cli: ["levada runs", ...options.filter(Boolean)].join(" "),
      };
    }
    case "logs":
      return { curl: curl("logs/recent", { contains: q, level: level ?? "warn", pipeline }), cli: null };
    case "catalogue":
      if (name === undefined)
        return {
          curl: curl("datasets", { search: q, connection: search.connection, tag, owner: search.owner }),
          cli: ["levada datasets", q && `--search ${quoted(q)}`, tag && `--tag ${quoted(tag)}`]
            .filter(Boolean)
            .join(" "),
        };
      if (!search.name) return null;
      return search.part === "lineage"
        ? {
            curl: curl(`datasets/${encodeURIComponent(search.name)}/lineage`, { column: search.column }),
            cli: `levada lineage ${quoted(search.name)}${search.column ? ` --column ${quoted(search.column)}` : ""}`,
          }
        : {
            curl: curl(`datasets/${encodeURIComponent(search.name)}`),
            cli: `levada datasets ${quoted(search.name)}`,
          };
    case "connections":
      if (name === undefined) return { curl: curl("connections", { search: q }), cli: null };
      if (name === "new") return null;
      return { curl: curl(`connections/${encodeURIComponent(name)}`), cli: `levada check ${quoted(name)}` };
    default:
      return null;
  }
}

/** A word of a shell, in quotes where it needs them. */
function quoted(word: string): string {
  return /^[\w./:=-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
