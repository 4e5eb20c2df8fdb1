/** The folder in which a task, or an item of it, leaves its files. */
export function artifactFolder(task: string, item: number | null): string {
  const plain = task.replaceAll(/[^\p{L}\p{N}_-]/gu, "_");
  return item === null ? plain : `${plain}.${item}`;
}

const TEXT =
  /\.(csv|tsv|txt|log|json|jsonl|ndjson|ya?ml|md|sql|xml|html?|ini|toml|conf|py|sh|js|ts|r|out|err)$/i;

/** Whether a file can be looked at as text, by its name. */
export function isText(path: string): boolean {
  const name = path.split("/").at(-1) ?? "";
  return TEXT.test(name) || !name.includes(".");
}
