import { expect, test } from "vitest";
import { targetOf, templateMistake } from "./targets";

const [PG, FILES] = [
  { title: "PostgreSQL", namespaces: true },
  { title: "Files", namespaces: false },
];
const ORDERS = { namespace: "public", table: "orders" };

test("targets are named as the server names them", () => {
  expect(targetOf("", ORDERS, { source: PG, destination: PG })).toBe("public.orders");
  expect(targetOf("", ORDERS, { source: PG, destination: FILES })).toBe("orders");
  expect(targetOf("raw.{table}", ORDERS, { source: FILES, destination: PG })).toBe("raw.orders");
  expect(targetOf("{namespace}_{table}", ORDERS, { source: PG, destination: PG })).toBe(
    "public.public_orders",
  );
  expect(targetOf("dim_{table}", ORDERS, { source: PG, destination: FILES })).toBe("dim_orders");
});

test("templates that cannot be are told", () => {
  expect(templateMistake("raw.{table}", { source: PG, destination: PG })).toBeUndefined();
  expect(templateMistake("raw.{table}", { source: PG, destination: FILES })).toMatch("no namespaces");
  expect(templateMistake("{tabel}", { source: PG, destination: PG })).toMatch("placeholders");
  expect(templateMistake("raw.", { source: PG, destination: PG })).toMatch("missing");
});
