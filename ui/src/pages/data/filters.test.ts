import { expect, test } from "vitest";
import { filtersOf, filterWords, listQuery, operatorsOf } from "./filters";

const COLUMNS = [{ name: "name" }, { name: "salary" }];

test("filters come from the address, and others stay out", () => {
  const search = {
    "salary[ge]": "1000",
    "name[like]": "x",
    "other[eq]": "x",
    part: "rows",
    "name[starts_with]": "A",
  };
  const filters = filtersOf(search, COLUMNS);
  expect(filters).toEqual([
    { column: "salary", operator: "ge", value: "1000" },
    { column: "name", operator: "starts_with", value: "A" },
  ]);
  expect(filters.map(filterWords)).toEqual(["is at least 1000", "starts with A"]);
});

test("a list is asked for as the data API takes it", () => {
  const filters = filtersOf({ "salary[ge]": "1000" }, COLUMNS);
  const query = listQuery({ filters, sort: "-salary", expand: ["department", "job"], withDeleted: true });
  expect(Object.fromEntries(new URLSearchParams(query))).toEqual({
    "salary[ge]": "1000",
    sort: "-salary",
    expand: "department,job",
    deleted: "true",
  });
  expect(listQuery({ filters: [], sort: undefined, expand: [], withDeleted: false })).toBe("");
});

test("a type is filtered only by what it can be compared with", () => {
  expect(operatorsOf("json")).toEqual(["is_null"]);
  expect(operatorsOf("text")[0]).toBe("starts_with");
  expect(operatorsOf("decimal(10,2)")).not.toContain("starts_with");
});
