import { expect, test } from "vitest";
import { artifactFolder, isText } from "./file-names";
import { itemName } from "./item-name";

test("folders of tasks have no characters that paths mean something by", () => {
  expect(artifactFolder("load all/now", null)).toBe("load_all_now");
  expect(artifactFolder("größe", 3)).toBe("größe.3");
});

test("what is text is told by its name", () => {
  expect(isText("report/2026.csv")).toBe(true);
  expect(isText("report/README")).toBe(true);
  expect(isText("lake/part-1.parquet")).toBe(false);
});

test("items are told by what they are", () => {
  expect(itemName("in/a.csv", 0)).toBe("in/a.csv");
  expect(itemName({ currency: "EUR", orders: 3 }, 0)).toBe("EUR · 3");
  expect(itemName(undefined, 2)).toBe("Item 3");
});
