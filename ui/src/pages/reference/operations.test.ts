import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { OpenApi } from "../../api/openapi";
import { commandOf } from "./command";
import { accessWords, example, found, grouped, operationsOf, typeWords } from "./operations";

const DOCUMENT = JSON.parse(readFileSync("../api/openapi.json", "utf8")) as OpenApi;
const OPERATIONS = operationsOf(DOCUMENT);

function operation(id: string) {
  const one = OPERATIONS.find((known) => known.id === id);
  if (!one) throw new Error(`there is no operation ${id}`);
  return one;
}

test("every operation of the API is there, once", () => {
  const count = Object.values(DOCUMENT.paths).reduce((sum, methods) => sum + Object.keys(methods).length, 0);
  expect(OPERATIONS).toHaveLength(count);
  expect(grouped(OPERATIONS).flatMap(([, of]) => of)).toHaveLength(count);
  expect(new Set(OPERATIONS.map((one) => one.id)).size).toBe(count);
});

test("an operation is found by all words together", () => {
  expect(OPERATIONS.filter((one) => found(one, "post runs retry")).map((one) => one.id)).toEqual([
    "retryRun",
  ]);
  expect(OPERATIONS.filter((one) => found(one, "no such thing"))).toEqual([]);
});

test("types and access are told in words", () => {
  const page = operation("listRuns").responses[0]?.[1].content?.["application/json"]?.schema;
  expect(typeWords(page, DOCUMENT)).toBe("RunPage");
  expect(typeWords({ type: "array", items: { type: "string" } }, DOCUMENT)).toBe("list of text");
  expect(typeWords({ anyOf: [{ type: "string", format: "date-time" }, { type: "null" }] }, DOCUMENT)).toBe(
    "instant or null",
  );
  expect(accessWords("pipeline:operator")).toBe("Takes the role operator on the pipeline");
});

test("every operation has a command, and every body an example that can be written as JSON", () => {
  for (const one of OPERATIONS) {
    const command = commandOf(one, DOCUMENT, "http://host", {});
    expect(command).toContain("curl");
    const schema = one.body?.["application/json"]?.schema;
    if (schema) expect(() => JSON.stringify(example(schema, DOCUMENT))).not.toThrow();
  }
  expect(example(operation("createUser").body?.["application/json"]?.schema, DOCUMENT)).toEqual({
    name: "...",
    role: "viewer",
  });
});

test("what is filled in stands in the command", () => {
  const command = commandOf(operation("readLog"), DOCUMENT, "http://host", {
    run: "17",
    task: "load",
    limit: "",
  });
  expect(command).toContain("'http://host/api/v1/runs/17/logs?task=load'");
  expect(commandOf(operation("getRun"), DOCUMENT, "http://host", {})).toContain("/runs/RUN");
});
