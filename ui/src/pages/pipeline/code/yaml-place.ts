/** Where the cursor is in a document: below which keys, and whether a key or a value is being typed. */
export interface YamlPlace {
  path: string[];
  isKey: boolean;
  /** What is typed of the word so far. */
  word: string;
}

const KEY = /^(\s*)((?:- )*)(?:"([^"]+)"|'([^']+)'|([^\s#{["'][^:#]*?)):(?:\s|$)/;

/** Finds the place by indentation, which works while the document is not complete; null within a comment. */
export function placeAt(text: string, offset: number): YamlPlace | null {
  const before = text.slice(0, offset).split("\n");
  const line = before.pop() ?? "";
  if (/^\s*#/.test(line) || /\s#/.test(line)) return null;
  const word = /[\w.-]*$/.exec(line)?.[0] ?? "";
  const typed = line.slice(0, line.length - word.length);
  const inner = flowPath(typed);
  const key = KEY.exec(line);
  const isBlockValue = key !== null && inner === null;
  const [indent, dashes] = indentOf(line);
  const path = parents(before, indent + dashes, dashes > 0 ? indent : null);
  const name = key?.[3] ?? key?.[4] ?? key?.[5];
  if (inner !== null) {
    const own = name === undefined ? [] : [name.trim()];
    return { path: [...path, ...own, ...inner.path], isKey: inner.isKey, word };
  }
  if (isBlockValue && name !== undefined) return { path: [...path, name.trim()], isKey: false, word };
  // an item of a list may be a value or begin with a key
  return { path, isKey: true, word };
}

/** The keys above, from the outermost on. */
function parents(lines: readonly string[], indent: number, item: number | null): string[] {
  const path: string[] = [];
  // the key of a list stands no deeper than its dashes
  let limit = item === null ? indent : item + 1;
  for (let at = lines.length - 1; at >= 0 && limit > 0; at -= 1) {
    const line = lines[at] ?? "";
    const key = KEY.exec(line);
    if (!key) continue;
    const [own, dashes] = indentOf(line);
    if (own + dashes < limit) {
      path.unshift((key[3] ?? key[4] ?? key[5] ?? "").trim());
      limit = dashes > 0 ? own + 1 : own;
    }
  }
  return path;
}

function indentOf(line: string): [indent: number, dashes: number] {
  const [, space = "", dashes = ""] = /^(\s*)((?:- )*)/.exec(line) ?? [];
  return [space.length, dashes.length];
}

/** The keys within `{ }` and `[ ]` that are open on a line; null if none is. */
function flowPath(line: string): { path: string[]; isKey: boolean } | null {
  const open: { key: string | null; isMap: boolean; last: string }[] = [];
  let quote: string | null = null;
  let word = "";
  for (const char of line) {
    if (quote) {
      if (char === quote) quote = null;
      continue;
    }
    const top = open.at(-1);
    if (char === '"' || char === "'") quote = char;
    else if (char === "{" || char === "[") {
      open.push({ key: top?.last || null, isMap: char === "{", last: "" });
      word = "";
    } else if (char === "}" || char === "]") {
      open.pop();
      word = "";
    } else if (char === ":" && top) {
      top.last = word.trim();
      word = "";
    } else if (char === "," && top) {
      top.last = "";
      word = "";
    } else word += char;
  }
  const top = open.at(-1);
  if (!top) return null;
  const path = open.flatMap(({ key }) => (key ? [key] : []));
  return top.last ? { path: [...path, top.last], isKey: false } : { path, isKey: top.isMap };
}
