import { expect, test } from "vitest";
import { pathAt, placed } from "./places";

const TEXT = `version: 1
schedule: { cron: "61 * * * *" }
sync:
  from: crm
  to: lake
  streams:
    customers:
      write: merge
      columns:
        cast: { id: foo }
`;

function at(line: number, column: number) {
  const [found] = placed(
    [{ kind: "config", message: "no", place: [`pipelines/x.yaml:${line}:${column}`], advice: "" }],
    TEXT,
  );
  return found && [found.step, found.stream, found.line];
}

test("a mistake leads to the step that can mend it", () => {
  expect(at(2, 19)).toEqual(["schedule", null, 2]);
  expect(at(4, 9)).toEqual(["source", null, 4]);
  expect(at(8, 14)).toEqual(["modes", "customers", 8]);
  expect(at(10, 21)).toEqual(["columns", "customers", 10]);
  expect(at(1, 1)).toEqual(["review", null, 1]);
});

test("a mistake of a plan tells its stream", () => {
  const place = ["task `sync`", "stream `public.orders`"];
  expect(placed([{ kind: "config", message: "no", place, advice: "" }], TEXT)).toMatchObject([
    { step: "modes", stream: "public.orders" },
  ]);
  const nowhere = ["task `sync`", "connection `crm`"];
  expect(placed([{ kind: "config", message: "no", place: nowhere, advice: "" }], TEXT)).toMatchObject([
    { step: "streams", offset: null },
  ]);
});

test("what is no YAML has no path", () => {
  expect(pathAt("a: [", 3)).toEqual(["a"]);
  expect(pathAt("", 0)).toEqual([]);
});
