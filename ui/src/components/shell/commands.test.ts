import { expect, test } from "vitest";
import { fits, namedIn } from "./commands";

test("a command is found by any of its words, in any order", () => {
  const command = { title: "Admin: Audit log", words: "history changes" };
  expect(fits(command, "")).toBe(true);
  expect(fits(command, "log ADMIN")).toBe(true);
  expect(fits(command, "changes")).toBe(true);
  expect(fits(command, "audit users")).toBe(false);
});

test("the word for what is to be done is no part of a name", () => {
  expect(namedIn("pause orders")).toBe("orders");
  expect(namedIn("Run 17")).toBe("17");
  expect(namedIn("run")).toBe("run");
  expect(namedIn("runs_of_today")).toBe("runs_of_today");
});
