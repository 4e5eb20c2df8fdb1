import { expect, test } from "vitest";
import { mistakesIn, shapeOf, withField, type JsonSchema } from "./shape";

const SETTINGS: JsonSchema = {
  type: "object",
  required: ["host", "port"],
  properties: {
    host: { type: "string", description: "The `host` to reach.", minLength: 1 },
    port: { type: "integer", minimum: 1, maximum: 65535, default: 5432 },
    password: { anyOf: [{ $ref: "#/$defs/Secret" }, { type: "null" }], description: "Of the user." },
    tls: { $ref: "#/$defs/Tls", description: "How it is encrypted." },
    part_size: { anyOf: [{ type: "integer" }, { type: "string" }] },
    csv: { type: "object", properties: { header: { type: "boolean", default: true } } },
    names: { type: ["array", "null"], items: { type: "string" } },
    auth: {
      oneOf: [
        { type: "object", title: "Key", properties: { key: { type: "string" } } },
        { type: "object", title: "Token", properties: { token: { type: "string" } } },
      ],
    },
  },
  $defs: {
    Secret: { type: "string", writeOnly: true, description: "A password." },
    Tls: {
      oneOf: [
        { const: "require", description: "Encrypted." },
        { const: "disable", description: "Plain." },
      ],
    },
  },
};

test("each kind of value gets its control", () => {
  const shape = shapeOf(SETTINGS);
  if (shape.kind !== "object") throw new Error("settings are an object");
  const kinds = Object.fromEntries(shape.fields.map((field) => [field.name, field.shape.kind]));
  expect(kinds).toEqual({
    host: "text",
    port: "number",
    password: "text",
    tls: "enum",
    part_size: "text",
    csv: "object",
    names: "list",
    auth: "choice",
  });
  const of = (name: string) => shape.fields.find((field) => field.name === name)?.shape;
  expect(of("password")).toMatchObject({ isSecret: true, description: "Of the user.", label: "Password" });
  expect(of("host")).toMatchObject({ description: "The host to reach." });
  expect(of("tls")).toMatchObject({
    options: [{ value: "require", description: "Encrypted." }, { value: "disable" }],
  });
  expect(of("part_size")).toMatchObject({ isNumberToo: true, label: "Part size" });
});

test("mistakes are told by field", () => {
  const shape = shapeOf(SETTINGS);
  expect(mistakesIn(shape, {})).toEqual({ host: "Host is needed.", port: "Port is needed." });
  expect(mistakesIn(shape, { host: "db", port: 70000 })).toEqual({ port: "At most 65535." });
  expect(mistakesIn(shape, { host: "db", port: "1.5" })).toEqual({ port: "Port is a whole number." });
  expect(mistakesIn(shape, { host: "db", port: 1, names: ["a"], csv: { header: false } })).toEqual({});
});

test("a field without a value is not there", () => {
  expect(withField({ a: 1, b: 2 }, "a", undefined)).toEqual({ b: 2 });
  expect(withField({ b: 2 }, "a", false)).toEqual({ b: 2, a: false });
});

test("a schema that contains itself ends", () => {
  const tree: JsonSchema = {
    $ref: "#/$defs/Node",
    $defs: { Node: { type: "object", properties: { next: { $ref: "#/$defs/Node" } } } },
  };
  expect(shapeOf(tree).kind).toBe("object");
});
