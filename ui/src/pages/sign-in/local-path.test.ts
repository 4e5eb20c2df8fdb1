import { expect, test } from "vitest";
import { localPath } from "./local-path";

test("the sign-in leads to pages of this server alone", () => {
  expect(localPath("/runs/17?task=load")).toBe("/runs/17?task=load");
  for (const foreign of [
    "https://evil.example",
    "//evil.example",
    "/\\evil.example",
    "javascript:alert(1)",
    "",
    undefined,
  ])
    expect(localPath(foreign)).toBe("/");
  expect(localPath("/sign-in?next=/")).toBe("/");
});
