import { expect, test } from "vitest";
import { plain } from "./plain";

test("codes for the colours of a terminal are no part of what a line says", () => {
  expect(plain("\u001b[31mred\u001b[0m and more")).toBe("red and more");
});
