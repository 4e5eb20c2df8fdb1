/** A text as one word of a shell: quoted where it has to be. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

export interface CurlRequest {
  method: string;
  /** The whole address. */
  url: string;
  headers?: [name: string, value: string][];
  /** The body as text; `@name` sends a file. */
  body?: string;
  /** Keeps the answer as a file, under the name that the server gives it. */
  isDownload?: boolean;
}

/** The same request for a terminal. The token comes from the environment, so that it is not in the history of the shell. */
export function curl({ method, url, headers = [], body, isDownload }: CurlRequest): string {
  const parts = [
    `curl${isDownload ? " -OJ" : ""}${method === "GET" ? "" : ` -X ${method}`} ${shellWord(url)}`,
    `-H "authorization: Bearer $LEVADA_TOKEN"`,
    ...headers.map(([name, value]) => `-H ${shellWord(`${name}: ${value}`)}`),
    ...(body === undefined ? [] : [`${body.startsWith("@") ? "--data-binary" : "-d"} ${shellWord(body)}`]),
  ];
  return parts.join(" \\\n  ");
}
