import { isMap, isScalar, isSeq, parseDocument, visit, type Document, type Pair, type YAMLMap } from "yaml";
import { keepFormat } from "./keep-format";
import { isRecord, type Values } from "./pipeline-outline";

type Path = (string | number)[];

/** A task with other options. What stays the same keeps its form and its comments. */
export function withTask(text: string, name: string, value: Values): string {
  return edited(text, (document) => {
    const path = pathOf(document, name);
    if (!path) return;
    if (path[0] === "sync") {
      // a pipeline that is one sync has no task around it: another option makes one
      if (Object.keys(value).length > 1) wrapSync(document);
      else return assign(document, ["sync"], value["sync"]);
    }
    assign(document, pathOf(document, name) ?? path, value);
  });
}

/** One more task. */
export function withNewTask(text: string, name: string, value: Values): string {
  return edited(text, (document) => {
    wrapSync(document);
    document.setIn(["tasks", name], nodeOf(document, value));
  });
}

/** Without a task; nothing waits for it any more. */
export function withoutTask(text: string, name: string): string {
  return edited(text, (document) => {
    const path = pathOf(document, name);
    if (!path) return;
    document.deleteIn(path);
    if (path.length === 2 && isEmpty(document.get(path[0] as string, true)))
      document.delete(path[0] as string);
    for (const other of names(document)) drop(document, other, name);
  });
}

/** A task under another name, which those that wait for it and those that use its outputs follow. */
export function withRenamedTask(text: string, name: string, next: string): string {
  return edited(text, (document) => {
    wrapSync(document);
    const tasks = document.get("tasks", true);
    if (!isMap(tasks)) return;
    const pair = tasks.items.find((item) => keyOf(item) === name);
    if (!pair) return;
    if (isScalar(pair.key)) pair.key.value = next;
    visit(document, {
      Scalar: (_key, node) => {
        if (typeof node.value === "string")
          node.value = node.value.replaceAll(`\${tasks.${name}.`, `\${tasks.${next}.`);
      },
    });
    for (const other of names(document)) {
      const after = document.getIn(["tasks", other, "after"], true);
      if (isSeq(after))
        for (const item of after.items) if (isScalar(item) && item.value === name) item.value = next;
    }
  });
}

/** A task that waits for another. */
export function withEdge(text: string, from: string, to: string): string {
  return edited(text, (document) => {
    wrapSync(document);
    const path = ["tasks", to, "after"];
    const after = document.getIn(path, true);
    if (isSeq(after)) {
      if (!after.items.some((item) => isScalar(item) && item.value === from))
        after.add(document.createNode(from));
    } else document.setIn(path, document.createNode([from], { flow: true }));
  });
}

/** A task that no longer waits for another. */
export function withoutEdge(text: string, from: string, to: string): string {
  return edited(text, (document) => drop(document, to, from));
}

/** Another value at the top of the document; undefined takes it away. */
export function withTop(text: string, key: "description" | "owner" | "tags", value: unknown): string {
  return edited(text, (document) => {
    if (value === undefined) document.delete(key);
    else if (document.has(key)) assign(document, [key], value);
    else {
      // what the pipeline is stands before what it does
      const root = document.contents;
      const pair = document.createPair(key, value) as Pair;
      if (Array.isArray(value) && isSeq(pair.value)) pair.value.flow = true;
      if (!isMap(root)) return void document.set(key, value);
      const place = root.items.findIndex(
        (item) => !["version", "name", "description", "owner", "tags"].includes(keyOf(item)),
      );
      root.items.splice(place < 0 ? root.items.length : place, 0, pair as never);
    }
  });
}

/** Why a task cannot have this name; undefined if it can. */
export function nameProblem(name: string, others: string[]): string | undefined {
  if (!name) return "A task needs a name.";
  if (/[/\p{Cc}]/u.test(name)) return "A name has no / and stands on one line.";
  if (others.includes(name)) return `There is a task ${name} already.`;
  return undefined;
}

/** Applies a change; every line that it does not concern stays as it was typed. */
function edited(text: string, change: (document: Document) => void): string {
  const document = parseDocument(text);
  if (document.errors.length > 0) return text;
  const print = () => document.toString({ lineWidth: 0 });
  const before = print();
  change(document as unknown as Document);
  return keepFormat(text, before, print(), document.toJS());
}

function pathOf(document: Document, name: string): Path | null {
  if (document.hasIn(["tasks", name])) return ["tasks", name];
  const hook = /^(on_failure|on_success)(?:_(\d+))?$/.exec(name);
  if (hook?.[1] && document.has(hook[1])) return [hook[1], hook[2] ? Number(hook[2]) - 1 : 0];
  return name === "sync" && document.has("sync") ? ["sync"] : null;
}

/** Makes the one sync of a pipeline one of its tasks; its name, by which positions are kept, stays `sync`. */
function wrapSync(document: Document): void {
  const root = document.contents;
  if (!isMap(root)) return;
  const place = root.items.findIndex((item) => keyOf(item) === "sync");
  const sync = root.items[place];
  if (!sync) return;
  const task = document.createNode({}) as unknown as YAMLMap;
  task.set("sync", sync.value);
  const tasks = document.createNode({}) as unknown as YAMLMap;
  tasks.set("sync", task);
  root.items.splice(place, 1, document.createPair("tasks", tasks) as never);
}

function names(document: Document): string[] {
  const tasks = document.get("tasks", true);
  return isMap(tasks) ? tasks.items.map(keyOf) : [];
}

function drop(document: Document, task: string, before: string): void {
  const path = ["tasks", task, "after"];
  const after = document.getIn(path, true);
  if (!isSeq(after)) return;
  const place = after.items.findIndex((item) => isScalar(item) && item.value === before);
  if (place < 0) return;
  if (after.items.length === 1) document.deleteIn(path);
  else after.delete(place);
}

/** Makes what stands at a path say a value, touching only what differs. */
function assign(document: Document, path: Path, value: unknown): void {
  const node = document.getIn(path, true);
  if (isMap(node) && isRecord(value)) {
    for (const key of node.items.map(keyOf)) if (!(key in value)) document.deleteIn([...path, key]);
    for (const [key, inner] of Object.entries(value)) assign(document, [...path, key], inner);
  } else if (isSeq(node) && Array.isArray(value) && node.items.length === value.length) {
    value.forEach((inner, index) => assign(document, [...path, index], inner));
  } else if (isScalar(node) && !isRecord(value) && !Array.isArray(value)) {
    if (node.value !== value) node.value = value;
  } else if (!(node === null && isRecord(value) && Object.keys(value).length === 0)) {
    document.setIn(path, nodeOf(document, value));
  }
}

/** A value in the form that documents have: short lists on one line. */
function nodeOf(document: Document, value: unknown) {
  const node = document.createNode(value);
  visit(node as never, {
    Seq: (_key, list) => {
      const plain = list.items.every((item) => isScalar(item) && !String(item.value).includes("\n"));
      if (plain && list.items.reduce((sum: number, item) => sum + String(item).length, 0) < 80)
        list.flow = true;
    },
  });
  return node;
}

/** The key of an entry of a map, as text. */
function keyOf(pair: { key: unknown }): string {
  return String(isScalar(pair.key) ? pair.key.value : pair.key);
}

function isEmpty(node: unknown): boolean {
  return (isMap(node) || isSeq(node)) && node.items.length === 0;
}
