import type { RoleName } from "./harness";

export interface PageOfApp {
  name: string;
  path: string;
  /** The role that it takes; everybody who is signed in without one. */
  role?: RoleName;
}

/** Every page behind the sign-in, as the project of the tests fills it. */
export const PAGES: PageOfApp[] = [
  { name: "overview", path: "/" },
  { name: "pipelines", path: "/pipelines" },
  { name: "new-pipeline", path: "/pipelines/new", role: "editor" },
  { name: "pipeline-graph", path: "/pipelines/steps/graph" },
  { name: "pipeline-runs", path: "/pipelines/steps/runs" },
  { name: "pipeline-streams", path: "/pipelines/steps/streams" },
  { name: "pipeline-code", path: "/pipelines/steps/code" },
  { name: "pipeline-settings", path: "/pipelines/steps/settings" },
  { name: "runs", path: "/runs" },
  { name: "run", path: "/runs/1" },
  { name: "logs", path: "/logs" },
  { name: "connections", path: "/connections" },
  { name: "new-connection", path: "/connections/new", role: "editor" },
  { name: "connection", path: "/connections/warehouse" },
  { name: "catalogue", path: "/catalogue" },
  { name: "dataset", path: "/catalogue/dataset?name=warehouse.customers" },
  { name: "dataset-lineage", path: "/catalogue/dataset?name=warehouse.customers&part=lineage" },
  { name: "dataset-loads", path: "/catalogue/dataset?name=warehouse.customers&part=loads" },
  { name: "dataset-history", path: "/catalogue/dataset?name=warehouse.customers&part=history" },
  { name: "sql", path: "/sql?q=SELECT%20id%2C%20name%0AFROM%20warehouse.customers", role: "editor" },
  { name: "data", path: "/data" },
  { name: "data-rows", path: "/data/department" },
  { name: "data-schema", path: "/data/department?part=schema" },
  { name: "data-upload", path: "/data/department?part=upload" },
  { name: "data-api", path: "/data/department?part=api" },
  { name: "report", path: "/data/reports/large_departments?run=true" },
  { name: "reference", path: "/reference" },
  { name: "reference-operation", path: "/reference?operation=startRun" },
  { name: "admin-users", path: "/admin/users", role: "admin" },
  { name: "admin-tokens", path: "/admin/tokens" },
  { name: "admin-secrets", path: "/admin/secrets", role: "editor" },
  { name: "admin-audit", path: "/admin/audit", role: "admin" },
  { name: "admin-workers", path: "/admin/workers" },
  { name: "admin-settings", path: "/admin/settings", role: "admin" },
  { name: "admin-account", path: "/admin/account" },
  { name: "admin-about", path: "/admin/about" },
];
