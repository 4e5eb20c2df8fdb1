import type { Role } from "../../api/model";

export interface Section {
  id: "users" | "tokens" | "secrets" | "audit" | "workers" | "settings" | "account" | "about";
  title: string;
  /** What it takes to see it. */
  role: Role;
}

/** The parts of the page, in their order. */
export const SECTIONS: Section[] = [
  { id: "users", title: "Users", role: "admin" },
  { id: "tokens", title: "Tokens", role: "viewer" },
  { id: "secrets", title: "Secrets", role: "editor" },
  { id: "audit", title: "Audit log", role: "admin" },
  { id: "workers", title: "Workers", role: "viewer" },
  { id: "settings", title: "Settings", role: "admin" },
  { id: "account", title: "Your account", role: "viewer" },
  { id: "about", title: "About", role: "viewer" },
];
