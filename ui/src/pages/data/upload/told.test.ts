import { expect, test } from "vitest";
import { ApiError } from "../../../api/error";
import { csvOf, failuresOf, mediaTypeOf, refusalsOf } from "./told";

test("failures are counted as people count rows", () => {
  const answer = {
    rows: 3,
    inserted: 2,
    changed: 0,
    failed: 1,
    failures: [{ row: 2, errors: [{ column: "name", message: "is taken" }] }],
  };
  expect(failuresOf(answer)).toEqual([{ row: 3, column: "name", message: "is taken" }]);
  const error = new ApiError(422, "check", "x", [
    { place: ["row 0", "name"], kind: "required", message: "is needed", advice: "" },
    { place: ["row 4"], kind: "stale", message: "is stale", advice: "" },
    { place: ["name"], kind: "missing", message: "no row", advice: "" },
  ]);
  expect(refusalsOf(error)).toEqual([
    { row: 1, column: "name", message: "is needed" },
    { row: 5, column: "", message: "is stale" },
  ]);
  expect(refusalsOf(new Error("x"))).toEqual([]);
});

test("failures can be taken away as CSV", () => {
  expect(csvOf([{ row: 3, column: "name", message: 'is "taken", twice' }])).toBe(
    'row,column,message\r\n3,name,"is ""taken"", twice"\r\n',
  );
});

test("the format follows from the name, or from the text", () => {
  expect(mediaTypeOf("people.jsonl", "a,b")).toBe("application/x-ndjson");
  expect(mediaTypeOf("people.csv", "{")).toBe("text/csv");
  expect(mediaTypeOf("", ' {"a": 1}')).toBe("application/x-ndjson");
  expect(mediaTypeOf("", "name\nAda")).toBe("text/csv");
});
