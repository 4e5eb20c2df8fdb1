import { expect, test } from "vitest";
import type { Connection } from "../api/model";
import {
  bodyOf,
  differences,
  draftOf,
  freeName,
  nameMistake,
  newDraft,
  sameConnection,
  urlExample,
} from "./connection-draft";

const SHOP: Connection = {
  name: "shop",
  connector: "postgres",
  settings: { host: "db", password: "***" },
  url: null,
  used_by: [],
};

test("what is not touched goes back as it came, secrets masked", () => {
  expect(bodyOf(draftOf(SHOP))).toEqual({ connector: "postgres", settings: { host: "db", password: "***" } });
  const byUrl = { ...SHOP, settings: null, url: "postgres://u:***@db/shop" };
  expect(bodyOf(draftOf(byUrl))).toEqual({ url: "postgres://u:***@db/shop" });
  expect(bodyOf(newDraft("files", "lake"))).toEqual({ connector: "files", settings: {} });
});

test("two versions are the same whatever the order of their settings, and who uses them", () => {
  const other = { ...SHOP, settings: { password: "***", host: "db" }, used_by: ["orders"] };
  expect(sameConnection(SHOP, other)).toBe(true);
  expect(sameConnection(SHOP, { ...SHOP, settings: { host: "db2", password: "***" } })).toBe(false);
});

test("names are told wrong at once", () => {
  expect(nameMistake("shop-2.größe", [])).toBeUndefined();
  expect(nameMistake("", [])).toMatch("needs a name");
  expect(nameMistake("a b", [])).toMatch("Letters");
  expect(nameMistake("shop", ["shop"])).toMatch("already");
  expect(freeName("shop", ["shop", "shop_2"])).toBe("shop_3");
});

test("an example of a URL comes from the schema", () => {
  const settings = {
    properties: { url: { description: "`postgres://user@host/db?tls=..`, in place of the parts." } },
  };
  expect(urlExample(settings)).toBe("postgres://user@host/db?tls=..");
  expect(urlExample({})).toBeUndefined();
});

test("a conflict shows what differs and nothing else", () => {
  const mine = { ...draftOf(SHOP), settings: { host: "mine", password: "***", port: 1 } };
  expect(differences(mine, { ...SHOP, settings: { host: "theirs", password: "***" } })).toEqual([
    { name: "host", mine: "mine", theirs: "theirs" },
    { name: "port", mine: "1", theirs: "" },
  ]);
});
