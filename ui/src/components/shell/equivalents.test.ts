import { expect, test } from "vitest";
import { equivalentsOf } from "./equivalents";

const of = (pathname: string, search: Record<string, string> = {}) =>
  equivalentsOf("http://h", pathname, search);

test("a page has its request and its command", () => {
  expect(of("/runs/17")).toEqual({
    curl: 'curl -H "authorization: Bearer $LEVADA_TOKEN" http://h/api/v1/runs/17',
    cli: "levada show 17",
  });
  expect(of("/pipelines/orders/graph")?.cli).toBe("levada runs orders");
});

test("filters go along, and whatever a shell would read is quoted", () => {
  expect(of("/runs", { state: "failed", q: "a b" })).toEqual({
    curl: `curl -H "authorization: Bearer $LEVADA_TOKEN" 'http://h/api/v1/runs?search=a+b&state=failed'`,
    cli: "levada runs --state failed",
  });
  expect(of("/logs", { pipeline: "orders" })?.curl).toContain("/logs/recent?level=warn&pipeline=orders");
  expect(of("/connections/it's%20mine")?.cli).toBe(String.raw`levada check 'it'\''s mine'`);
});

test("a dataset is asked for by its name, whatever that holds", () => {
  expect(of("/catalogue/dataset", { name: "in.a b/c.csv" })).toEqual({
    curl: `curl -H "authorization: Bearer $LEVADA_TOKEN" 'http://h/api/v1/datasets/in.a%20b%2Fc.csv'`,
    cli: "levada datasets 'in.a b/c.csv'",
  });
  expect(of("/catalogue/dataset", { name: "dw.t", part: "lineage", column: "id" })?.cli).toBe(
    "levada lineage dw.t --column id",
  );
  expect(of("/catalogue", { q: "mail" })?.cli).toBe("levada datasets --search mail");
  expect(of("/catalogue/dataset")).toBeNull();
});

test("pages that show nothing of the kind have none", () => {
  expect(of("/runs/compare")).toBeNull();
  expect(of("/pipelines/new")).toBeNull();
  expect(of("/admin/users")).toBeNull();
});
