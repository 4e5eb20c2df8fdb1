import { expect, test, vi } from "vitest";
import type { Me } from "./model";

vi.mock("./queries/session", () => ({ useMe: () => undefined }));
const { hasRole } = await import("./roles");

const anna: Me = { name: "anna", role: "viewer", grants: [{ tag: "sales", role: "editor" }] };

test("a role includes the lesser ones", () => {
  expect(hasRole({ ...anna, role: "editor" }, "operator")).toBe(true);
  expect(hasRole(anna, "operator")).toBe(false);
});

test("a grant counts on what has its tag", () => {
  expect(hasRole(anna, "editor", ["sales", "daily"])).toBe(true);
  expect(hasRole(anna, "editor", ["hr"])).toBe(false);
  expect(hasRole(anna, "admin", ["sales"])).toBe(false);
});
