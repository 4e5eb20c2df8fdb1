import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { enter, expect, makePipeline, run, test } from "./test";

test.beforeEach(({ context, levada }) => enter(context, levada));

const LOG = `version: 1
name: talkative
tasks:
  lines:
    command:
      output: 100MB
      script: |
        awk 'BEGIN { for (i = 1; i <= 200000; i++) print (i == 123456 ? "ERROR at" : "line"), i }'
  items:
    for_each: { list: [north, south] }
    command: { argv: [echo, "\${item}"] }
  wrong: { command: { argv: [ls, /nowhere/at/all] }, after: [items] }
`;

test("a run is watched, its failure is found, and it is retried", async ({ page, levada }) => {
  await makePipeline(page, levada, "falling", BROKEN);
  await page.goto(`${levada.url}/pipelines/falling/graph`);
  await page.getByRole("button", { name: "Run now" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Run now" }).click();
  await page.waitForURL(/\/runs\/\d+/);
  const first = page.url();
  // the task that failed is chosen by itself, with its reason in sight
  await expect(page.getByRole("region", { name: "Task fall" }).getByRole("alert")).toContainText("exit");
  await expect(page.getByRole("button", { name: "Retry failed" })).toBeVisible();
  await page.getByRole("tab", { name: "Log" }).click();
  await expect(page.getByText("/nowhere/at/all").first()).toBeVisible();
  await page.getByRole("button", { name: "Retry failed" }).click();
  await page.waitForURL((url) => url.href !== first && /\/runs\/\d+/.test(url.pathname));
  await expect(page.getByText(/Retry of/)).toBeVisible();
});

test("a long log is searched, linked to, and never there as a whole", async ({ page, levada }) => {
  await makePipeline(page, levada, "talkative", LOG);
  const id = await run(page, levada, "talkative");
  const asked: URL[] = [];
  page.on("request", (request) => asked.push(new URL(request.url())));
  await page.goto(`${levada.url}/runs/${id}?task=lines&part=log`);
  await expect(page.getByText("200,002 lines")).toBeVisible();
  const search = page.getByRole("searchbox", { name: "Search the log" });
  await search.fill("ERROR at");
  await expect(page.getByRole("status").filter({ hasText: /^1$/ })).toBeVisible();
  await search.press("Enter");
  await expect(page.locator("mark")).toHaveText("ERROR at");
  expect(new URL(page.url()).searchParams.get("line")).toBe("123457");
  await page.reload();
  await expect(page.getByText("ERROR at 123456")).toBeInViewport();
  const rows = page.getByRole("region", { name: "Lines of the log" }).getByRole("button");
  expect(await rows.count()).toBeLessThan(300);

  // the server looks for the levels too, and tells of the rest as it is wanted
  const lines = page.getByRole("combobox", { name: "Lines" });
  await lines.selectOption("error");
  await page.getByRole("button", { name: "Show only matches" }).click();
  await expect(rows).toHaveCount(1);
  expect(asked.some((url) => url.searchParams.get("contains") === "ERROR at")).toBe(true);
  expect(asked.some((url) => url.searchParams.get("level") === "error")).toBe(true);
  expect(asked.filter((url) => url.pathname.endsWith("/logs/download"))).toEqual([]);
});

test("what went wrong lately is in one list, and leads to its line", async ({ page, levada }) => {
  const id = await run(page, levada, "broken");
  await page.goto(`${levada.url}/logs?pipeline=broken`);
  const row = page.getByRole("row").filter({ hasText: "missing.csv" }).first();
  await expect(row).toContainText(`run ${id}`);
  await row.click();
  await expect(page).toHaveURL(new RegExp(`/runs/${id}\\?.*part=log`));
  await expect(page.getByRole("region", { name: "Lines of the log" })).toContainText("missing.csv");
});

test("a link to a task that the run does not have says so, and leads to the run", async ({
  page,
  levada,
}) => {
  const id = await run(page, levada, "greet");
  await page.goto(`${levada.url}/runs/${id}?task=gone`);
  await expect(page.getByText("This run has no task gone")).toBeVisible();
  await page.getByRole("link", { name: "Show the run" }).click();
  await expect(page.getByRole("region", { name: "Task hello" })).toBeVisible();
});

test("items have their own state and log", async ({ page, levada }) => {
  await page.goto(`${levada.url}/pipelines/talkative/runs`);
  await page
    .getByRole("link", { name: /^Run \d+: / })
    .first()
    .click();
  await page.getByRole("option", { name: /^items/ }).click();
  await page.getByRole("row", { name: /south/ }).getByRole("button", { name: "south" }).click();
  await expect(page.getByRole("region", { name: "Lines of the log" })).toContainText("south");
});

test("a sync tells while it is at work how fast it is, and what holds it back", async ({ page, levada }) => {
  const rows = Array.from({ length: 400_000 }, (_, id) => `${id},name ${id},${"words ".repeat(8)}`);
  // long enough that figures, which come every two seconds, are told of it anywhere
  const lines = `${rows.join("\n")}\n`.repeat(5);
  writeFileSync(join(levada.folder, "data", "large.csv"), `id,name,text\n${lines}`);
  await makePipeline(page, levada, "large", LARGE);
  const id = await run(page, levada, "large", false);
  await page.goto(`${levada.url}/runs/${id}`);
  const live = page.getByRole("region", { name: "Live" });
  await expect(live).toContainText("Rows per second", { timeout: 20_000 });
  await expect(live).toContainText(/holds it back\./);
  await expect(live.getByRole("progressbar", { name: "large.csv" })).toBeVisible();
  await page.screenshot({ path: "e2e/output/pages/run-live-metrics.png" });
  await page.request.post(`${levada.url}/api/v1/runs/${id}/cancel`, { headers: { "x-levada-csrf": "1" } });
});

test("the keyboard leads through a run", async ({ page, levada }) => {
  await page.goto(`${levada.url}/pipelines/talkative/runs`);
  const bar = page.getByRole("link", { name: /^Run \d+: / }).first();
  await bar.focus();
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/runs\/\d+/);
  const task = page.getByRole("option", { name: /^wrong/ });
  await task.focus();
  await page.keyboard.press("ArrowUp");
  await expect(page.getByRole("option", { name: /^items/ })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("region", { name: "Task items" })).toBeVisible();
});

const LARGE = `version: 1
name: large
sync: { from: exports, to: warehouse, streams: { large.csv: { rename: large } } }
`;

const BROKEN = `version: 1
name: falling
tasks:
  fall: { command: { argv: [ls, /nowhere/at/all] } }
  rise: { command: { argv: [echo, up] }, after: [fall] }
`;

const PEOPLE = `version: 1
name: people
tasks:
  load:
    sync:
      from: exports
      to: warehouse
      streams:
        people.csv: { rename: people, on_bad_row: quarantine, columns: { cast: { age: bigint } } }
`;

test("rows of the quarantine are loaded again, and it is told which of them fit", async ({
  page,
  levada,
}) => {
  const warehouse = (sql: string) =>
    execFileSync("python3", ["-c", SQL, join(levada.folder, "warehouse.db"), sql], { encoding: "utf8" });
  const data = (text: string) => writeFileSync(join(levada.folder, "data", "people.csv"), `id,age\n${text}`);
  data("1,30\n");
  await makePipeline(page, levada, "people", PEOPLE);
  await run(page, levada, "people");
  const limit = "WHEN NEW.age > 100 BEGIN SELECT RAISE(ABORT, 'too old'); END";
  warehouse(`CREATE TRIGGER young BEFORE INSERT ON people ${limit}`);
  data("1,30\n2,old\n5,200\n");
  const id = await run(page, levada, "people");
  await page.goto(`${levada.url}/runs/${id}?task=load&part=rows`);
  const rows = page.getByRole("table", { name: "Rejected rows of people.csv" });
  await expect(rows.getByText("2 | old")).toBeVisible();
  await expect(rows.getByText("5 | 200")).toBeVisible();
  const again = page.getByRole("button", { name: "Load again", exact: true });
  await again.click();
  await expect(page.getByText("2 rows still do not fit.")).toBeVisible();
  warehouse("DROP TRIGGER young");
  await again.click();
  await expect(page.getByText("1 row of 2 is loaded, 1 still does not fit.")).toBeVisible();
  await expect(rows.getByText("5 | 200")).toHaveCount(0);
  await expect(rows.getByText("2 | old")).toBeVisible();
  expect(warehouse("SELECT age FROM people ORDER BY age")).toBe("[(30,), (200,)]");
});

const SQL = `import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as database:
    print(database.execute(sys.argv[2]).fetchall(), end="")
`;
