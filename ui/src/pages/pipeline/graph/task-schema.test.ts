import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { shapeOf, type JsonSchema, type Shape } from "../../../components/schema-form/shape";
import { KINDS } from "../../../format/pipeline-outline";
import { optionsSchema, withPresent, workSchema } from "./task-schema";

const DOCUMENT = JSON.parse(readFileSync("../api/pipeline.schema.json", "utf8")) as JsonSchema;
const CHOICES = { connections: ["shop", "lake"], channels: ["ops"], pools: [], pipelines: ["load"] };

function field(shape: Shape, name: string): Shape | undefined {
  return shape.kind === "object" ? shape.fields.find((one) => one.name === name)?.shape : undefined;
}

test("each kind of task has a form", () => {
  for (const kind of KINDS) {
    const shape = shapeOf(workSchema(DOCUMENT, kind, CHOICES));
    expect(shape.kind === "object" && shape.fields.length, kind).toBeGreaterThan(0);
  }
});

test("names can only be those that there are", () => {
  const from = field(shapeOf(workSchema(DOCUMENT, "sync", CHOICES)), "from");
  expect(from).toMatchObject({ kind: "enum", options: [{ value: "shop" }, { value: "lake" }] });
  const file = field(shapeOf(workSchema(DOCUMENT, "wait", CHOICES)), "file");
  expect(file && field(file, "connection")).toMatchObject({ kind: "enum" });
  const to = field(shapeOf(workSchema(DOCUMENT, "sql", CHOICES)), "to");
  expect(to && field(to, "connection")).toMatchObject({ kind: "enum", options: [{ value: "shop" }, {}] });
  for (const kind of ["backup", "restore"] as const) {
    const place = field(shapeOf(workSchema(DOCUMENT, kind, CHOICES)), "to");
    expect(place, kind).toMatchObject({ kind: "enum", options: [{ value: "shop" }, { value: "lake" }] });
  }
  expect(field(shapeOf(workSchema(DOCUMENT, "notify", CHOICES)), "channel")).toMatchObject({
    options: [{ value: "ops" }],
  });
});

test("what a task says now can stay although it is not there", () => {
  expect(withPresent(["shop"], "gone", "shop", undefined, "")).toEqual(["shop", "gone"]);
});

test("the options of every task have no work and no order among them", () => {
  const shape = shapeOf(optionsSchema(DOCUMENT, CHOICES));
  expect(shape.kind === "object" && shape.fields.map((one) => one.name)).toEqual([
    "retry",
    "timeout",
    "pool",
    "slots",
    "priority",
    "runs_on",
    "on_lost",
  ]);
});
