import { readFileSync } from "node:fs";
import type { Page } from "@playwright/test";
import { expectOpenToAll } from "./axe";
import { expect, settled, test } from "./harness";
import { tabTo } from "./keys";

test.use({ house: "sql" });

const CUSTOMERS = 'exports."customers.csv"';
/** What no machine ends within the time of a test. */
const ENDLESS = (() => {
  const names = ["a", "b", "c", "d", "e", "f"];
  const all = names.map((name) => `${ones(100)} AS ${name}(n)`).join(" CROSS JOIN ");
  return `SELECT count(*) AS n FROM ${all} WHERE ${names.map((name) => `${name}.n`).join(" + ")} = 0`;
})();

/** So many rows. */
function ones(count: number): string {
  return `(VALUES ${Array.from({ length: count }, () => "(1)").join(", ")})`;
}

function pageOf(sql: string): string {
  return `/sql?${new URLSearchParams({ q: sql }).toString()}`;
}

const editor = (page: Page) => page.getByRole("textbox", { name: "Query" });
const result = (page: Page) => page.getByRole("table", { name: "Result" });

test("an empty page says what to do, and a link brings its query without running it", async ({ admin }) => {
  const asked: string[] = [];
  admin.on("request", (request) => {
    if (request.method() === "POST" && request.url().endsWith("/query")) asked.push(request.url());
  });
  await admin.goto("/sql");
  await settled(admin);
  await expect(admin.getByText("Nothing was asked yet")).toBeVisible();
  await expect(admin.getByText(/A query has 120 s/)).toBeVisible();
  await expect(admin.getByRole("button", { name: "Run" })).toHaveAttribute("aria-disabled", "true");
  await expectOpenToAll(admin, "sql-empty");
  await admin.goto(pageOf("SELECT 42 AS answer"));
  await expect(editor(admin)).toContainText("SELECT 42 AS answer");
  expect(asked).toEqual([]);
  await admin.getByRole("button", { name: "Run" }).click();
  await expect(result(admin).getByRole("cell")).toHaveText("42");
});

/** Takes what the editor offers. */
async function accept(page: Page, name: RegExp): Promise<void> {
  await expect(page.getByRole("option", { name })).toBeVisible();
  // a list that has just come takes no key: whoever types on does not mean it
  await page.waitForTimeout(200);
  await page.keyboard.press("Enter");
}

test("by the keys alone: write with completion, run, and walk over the rows", async ({ admin }) => {
  await admin.goto("/");
  await settled(admin);
  await admin.keyboard.press("g");
  await admin.keyboard.press("q");
  await expect(admin.getByRole("heading", { name: "SQL" })).toBeVisible();
  await expect(editor(admin)).toBeVisible();
  await tabTo(admin, "Query");
  await admin.keyboard.type("SELECT id, name, CASE WHEN id = 2 THEN '' END AS note FROM expo");
  await accept(admin, /exports/);
  await admin.keyboard.type("cust");
  await accept(admin, /customers\.csv/);
  await expect(editor(admin)).toContainText(CUSTOMERS);
  await admin.keyboard.type(" ORDER BY id");
  await admin.keyboard.press("Escape");
  await admin.keyboard.press("ControlOrMeta+Enter");
  await expect(result(admin).getByRole("row")).toHaveCount(4);
  await expect(admin.getByRole("status").filter({ hasText: "3 rows in" })).toBeVisible();
  const rows = result(admin).getByRole("row");
  // what is null is told apart from what is empty
  await expect(rows.nth(1).getByRole("cell")).toHaveText(["1", "Ana", "null"]);
  await expect(rows.nth(2).getByRole("cell")).toHaveText(["2", "Rui", ""]);
  await expect(rows.nth(1).getByRole("cell").first()).toHaveCSS("text-align", "right");
  await tabTo(admin, /^1\s*Ana/);
  await admin.keyboard.press("ArrowDown");
  await expect(rows.nth(2)).toBeFocused();
  // it is there again
  await expect(admin).toHaveURL(/q=SELECT/);
  await admin.goto("/sql");
  await expect(editor(admin)).toContainText(CUSTOMERS);
});

test("a mistake is told and marked where it is", async ({ admin }) => {
  await admin.goto(pageOf(`SELECT id,\n  nme FROM ${CUSTOMERS}`));
  await admin.getByRole("button", { name: "Run" }).click();
  const alert = admin.getByRole("alert");
  await expect(alert).toContainText("line 2, column 3");
  await expect(alert).toContainText("nme");
  await expect(admin.locator(".cm-lintRange-error")).toHaveText("nme");
  await expectOpenToAll(admin, "sql-mistake");
  await admin.goto(pageOf("SELECT * FROM nowhere.t"));
  await admin.getByRole("button", { name: "Run" }).click();
  await expect(admin.getByRole("alert")).toContainText("nowhere");
  await admin.goto(pageOf(`SELECT CAST(name AS BIGINT) AS n FROM ${CUSTOMERS}`));
  await admin.getByRole("button", { name: "Run" }).click();
  await expect(admin.getByRole("alert")).toContainText("Ana");
});

test("rows beyond the limit are told of, and a file has all of them", async ({ admin }) => {
  const sql = `SELECT row_number() OVER () AS n, 'a,b' AS t FROM ${ones(40)} AS a(x) CROSS JOIN ${ones(40)} AS b(y)`;
  await admin.goto(pageOf(sql));
  await admin.getByRole("button", { name: "Run" }).click();
  await expect(admin.getByText(/The first 1,000 rows in .*; there are more/)).toBeVisible();
  await expect(result(admin)).toHaveAttribute("aria-rowcount", "1001");
  // only those in view exist
  expect(await result(admin).getByRole("row").count()).toBeLessThan(100);
  for (const [form, name] of [
    ["CSV", "query.csv"],
    ["Parquet", "query.parquet"],
  ] as const) {
    await admin.getByRole("button", { name: "Export" }).click();
    const coming = admin.waitForEvent("download");
    await admin.getByRole("menuitem", { name: `All rows as ${form}` }).click();
    const download = await coming;
    expect(download.suggestedFilename()).toBe(name);
    const content = readFileSync(await download.path());
    if (form === "Parquet") expect(content.subarray(0, 4).toString()).toBe("PAR1");
    else {
      const lines = content.toString().split("\r\n");
      expect([lines.length, lines[0], lines[1]]).toEqual([1602, "n,t", '1,"a,b"']);
    }
  }
  await admin.getByRole("combobox", { name: "Rows shown" }).selectOption("10000");
  await admin.getByRole("button", { name: "Run" }).click();
  await expect(admin.getByText(/^1,600 rows in/)).toBeVisible();
});

test("values of parameters are asked for", async ({ admin }) => {
  await admin.goto(pageOf(`SELECT name FROM ${CUSTOMERS} WHERE id > $least AND name <> $not`));
  const form = admin.getByRole("form", { name: "Parameters" });
  await form.getByLabel("$least").fill("1");
  await form.getByLabel("$not").fill("Eva");
  await form.getByLabel("$not").press("Enter");
  await expect(result(admin).getByRole("cell")).toHaveText(["Rui"]);
});

test("an answer is drawn where it has numbers", async ({ admin }) => {
  await admin.goto(pageOf("SELECT 'a' AS word, 1 AS n, 2.5 AS m UNION ALL SELECT 'b', 3, NULL"));
  await admin.getByRole("button", { name: "Run" }).click();
  await admin.getByRole("button", { name: "Chart" }).click();
  await expect(admin.getByRole("figure", { name: "n, m by word" })).toBeVisible();
  await expect(admin.locator("canvas")).toBeVisible();
  await expectOpenToAll(admin, "sql-chart");
  await admin.getByRole("button", { name: "Chart" }).click();
  await expect(result(admin).getByRole("row")).toHaveCount(3);
  await admin.goto(pageOf("SELECT 'a' AS word"));
  await admin.getByRole("button", { name: "Run" }).click();
  await expect(admin.getByRole("button", { name: "Chart" })).toHaveAttribute("aria-disabled", "true");
});

test("a query that takes long shows it, and ends when it is cancelled or left", async ({ admin, server }) => {
  const cookie = await server.session();
  for (let turn = 0; turn < 5; turn += 1) {
    // four at once is all there is: one that went on would keep the fifth out
    await admin.goto(pageOf(ENDLESS));
    await admin.getByRole("button", { name: "Run" }).click();
    await expect(admin.getByText("Running", { exact: true })).toBeVisible();
    await expect(admin.getByText(/^\d+ s$/)).toBeVisible();
    if (turn % 2 === 0) {
      await admin.getByRole("button", { name: "Cancel", exact: true }).click();
      await expect(admin.getByText("Cancelled", { exact: true })).toBeVisible();
    } else await admin.goto("/runs");
  }
  await server.post("/api/v1/query", { sql: "SELECT 1 AS n" }, cookie);
});

test("a query becomes a pipeline", async ({ admin, server }) => {
  await admin.goto(pageOf(`SELECT id, name\nFROM ${CUSTOMERS}\nWHERE id > 1`));
  await admin.getByRole("button", { name: "Save as task" }).click();
  const dialog = admin.getByRole("dialog", { name: "Save as task" });
  await dialog.getByLabel("Pipeline").fill("customers");
  await dialog.getByLabel("Connection").selectOption("warehouse");
  await dialog.getByLabel("Stream").fill("some_customers");
  await expectOpenToAll(admin, "sql-save");
  await dialog.getByRole("button", { name: "Make the pipeline" }).click();
  await expect(dialog.getByRole("alert")).toContainText("There is a pipeline customers already");
  await dialog.getByLabel("Pipeline").fill("from_sql");
  await dialog.getByRole("button", { name: "Make the pipeline" }).click();
  await expect(admin).toHaveURL(/\/pipelines\/from_sql\/graph/);
  const cookie = await server.session();
  const run = await server.run("from_sql", cookie);
  const { state } = await server.get<{ state: string }>(`/api/v1/runs/${run}`, cookie);
  expect(state).toBe("succeeded");
  await admin.goto(pageOf("SELECT name FROM warehouse.some_customers ORDER BY id"));
  await admin.getByRole("button", { name: "Run" }).click();
  await expect(result(admin).getByRole("cell")).toHaveText(["Rui", "Eva"]);
});

test("who may not look into connections is told so", async ({ browser, server }) => {
  const page = await server.signedIn(browser, "operator");
  await page.goto(pageOf("SELECT 1 AS n"));
  await expect(page.getByText("This page takes the role editor")).toBeVisible();
  await page.context().close();
});

for (const [colorScheme, viewport] of [
  ["light", { width: 1440, height: 900 }],
  ["dark", { width: 360, height: 740 }],
] as const)
  test(`an answer is open to all, ${colorScheme}, ${viewport.width} px`, async ({ browser, server }) => {
    const page = await server.signedIn(browser, undefined, { colorScheme, viewport });
    await page.goto(
      pageOf(
        "SELECT 1 AS a, CAST(NULL AS TEXT) AS b, 'a long text that takes its room' AS c, 2.50 AS d, $e AS e, 'x' AS f, 'y' AS g",
      ),
    );
    await page.getByRole("form", { name: "Parameters" }).getByLabel("$e").fill("5");
    await page.getByRole("button", { name: "Run" }).click();
    await expect(result(page).getByRole("cell").nth(4)).toHaveText("5");
    await page.screenshot({ path: `e2e/output/sql-answer-${viewport.width}-${colorScheme}.png` });
    await expectOpenToAll(page, "sql-answer");
    await page.context().close();
  });
