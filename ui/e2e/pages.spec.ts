import type { Page } from "@playwright/test";
import { expectOpenToAll } from "./axe";
import { settled } from "./harness";
import { enter, expect, run, test } from "./test";

/** Only some of the pages, by their names here. */
const ONLY = process.env["PAGES"]?.split(",");

const PAGES: Record<string, string> = {
  overview: "/",
  pipelines: "/pipelines",
  "pipelines-none": "/pipelines?q=nothing-is-called-like-this",
  pipeline: "/pipelines/customers/graph",
  "pipeline-runs": "/pipelines/customers/runs",
  "pipeline-streams": "/pipelines/customers/streams",
  "pipeline-code": "/pipelines/customers/code",
  "pipeline-settings": "/pipelines/customers/settings",
  "new-pipeline": "/pipelines/new",
  runs: "/runs",
  "runs-failed": "/runs?state=failed",
  compare: "/runs/compare?a=1&b=2",
  run: "/runs/1",
  "run-failed": "/runs/2",
  "run-unknown-task": "/runs/1?task=nothing-is-called-like-this",
  logs: "/logs",
  connections: "/connections",
  "new-connection": "/connections/new",
  connection: "/connections/exports",
  catalogue: "/catalogue",
  "catalogue-none": "/catalogue?q=nothing-is-called-like-this",
  dataset: "/catalogue/dataset?name=warehouse.customers",
  "dataset-lineage": "/catalogue/dataset?name=warehouse.customers&part=lineage",
  "dataset-loads": "/catalogue/dataset?name=warehouse.customers&part=loads",
  "dataset-history": "/catalogue/dataset?name=warehouse.customers&part=history",
  sql: "/sql",
  "sql-query": "/sql?q=SELECT%20id%2C%20name%0AFROM%20warehouse.customers%20WHERE%20id%20%3E%20%24least",
  data: "/data",
  "data-rows": "/data/department",
  "data-schema": "/data/department?part=schema",
  "data-upload": "/data/department?part=upload",
  "data-api": "/data/department?part=api",
  report: "/data/reports/large_departments?run=true",
  reference: "/reference",
  "reference-operation": "/reference?operation=startRun",
  "admin-users": "/admin/users",
  "admin-tokens": "/admin/tokens",
  "admin-secrets": "/admin/secrets",
  "admin-audit": "/admin/audit",
  "admin-workers": "/admin/workers",
  "admin-settings": "/admin/settings",
  "admin-account": "/admin/account",
  "admin-about": "/admin/about",
  nowhere: "/nowhere",
};
const SIZES = { wide: { width: 1440, height: 900 }, narrow: { width: 360, height: 740 } };
/** Each theme, and each size, once: they do not depend on one another. */
const LOOKS = [
  { theme: "light", size: "wide" },
  { theme: "dark", size: "narrow" },
] as const;

for (const { theme, size } of LOOKS) {
  test.describe(`${theme} ${size}`, () => {
    test.use({ colorScheme: theme, viewport: SIZES[size] });

    test("sign-in", async ({ page, levada }) => {
      await page.goto(`${levada.url}/sign-in`);
      await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
      await look(page, `sign-in-${size}-${theme}`);
    });

    for (const [name, path] of Object.entries(PAGES)) {
      if (ONLY && !ONLY.includes(name)) continue;
      test(name, async ({ page, context, levada }) => {
        await enter(context, levada);
        await page.goto(levada.url);
        const { items } = (await (await page.request.get(`${levada.url}/api/v1/runs`)).json()) as {
          items: object[];
        };
        if (items.length === 0)
          for (const pipeline of ["customers", "broken"]) await run(page, levada, pipeline);
        await page.goto(levada.url + path);
        await settled(page);
        await look(page, `${name}-${size}-${theme}`);
      });
    }
  });
}

/** Keeps a picture, and expects no finding that shuts people out, and nothing wider than the window. */
async function look(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: `e2e/output/${name}.png` });
  await expectOpenToAll(page, name);
}
