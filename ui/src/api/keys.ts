/** Every query key, so that events and mutations name the same things as the queries. */
export const keys = {
  session: ["session"] as const,
  waysIn: ["ways-in"] as const,
  overview: ["overview"] as const,
  search: (text: string) => ["search", text] as const,
  pipelines: {
    all: ["pipelines"] as const,
    lists: ["pipelines", "list"] as const,
    list: (filter: object) => ["pipelines", "list", filter] as const,
    one: (name: string) => ["pipelines", "one", name] as const,
    part: (name: string, part: string, ...more: unknown[]) =>
      ["pipelines", "one", name, part, ...more] as const,
    /** What is asked of documents that are not saved; no event changes it. */
    draft: (...parts: unknown[]) => ["draft", ...parts] as const,
  },
  runs: {
    all: ["runs"] as const,
    lists: ["runs", "list"] as const,
    list: (filter: object) => ["runs", "list", filter] as const,
    one: (id: number) => ["runs", "one", id] as const,
    part: (id: number, part: string, ...more: unknown[]) => ["runs", "one", id, part, ...more] as const,
  },
  connections: {
    all: ["connections"] as const,
    list: (filter: object) => ["connections", "list", filter] as const,
    one: (name: string) => ["connections", "one", name] as const,
    part: (name: string, part: string, ...more: unknown[]) =>
      ["connections", "one", name, part, ...more] as const,
  },
  datasets: {
    all: ["datasets"] as const,
    list: (filter: object) => ["datasets", "list", filter] as const,
    one: (name: string) => ["datasets", "one", name] as const,
    part: (name: string, part: string, ...more: unknown[]) =>
      ["datasets", "one", name, part, ...more] as const,
  },
  /** What lies behind a connection: streams, rows, files, tests. No event tells that it has changed. */
  contents: (name: string, ...parts: unknown[]) => ["contents", name, ...parts] as const,
  queryLimits: ["query-limits"] as const,
  connectors: ["connectors"] as const,
  recentLines: (filter: object) => ["recent-lines", filter] as const,
  workers: ["workers"] as const,
  pools: ["pools"] as const,
  settings: ["settings"] as const,
  openapi: ["openapi"] as const,
  project: ["project"] as const,
  documentVersion: (pipeline: string, version: number) => ["document-version", pipeline, version] as const,
  file: (address: string) => ["file", address] as const,
  admin: (noun: string, ...filter: object[]) => ["admin", noun, ...filter] as const,
  data: (...parts: unknown[]) => ["data", ...parts] as const,
};
