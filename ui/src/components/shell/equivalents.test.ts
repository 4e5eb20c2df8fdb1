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

test("pages that show nothing of the kind have none", () => {
  expect(of("/runs/compare")).toBeNull();
  expect(of("/pipelines/new")).toBeNull();
  expect(of("/admin/users")).toBeNull();
});
