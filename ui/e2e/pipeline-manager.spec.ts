import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { execFileSync } from "node:child_process";
import { enter, expect, run, test } from "./test";

// A CRM on MariaDB and a warehouse on PostgreSQL that have to agree, made in the browser alone: connections, pipelines in
// both directions and into files, a failure, its cause, its repair.
const MARIA = new URL(process.env["LEVADA_TEST_MYSQL"] ?? "mysql://root@127.0.0.1:3306/test?tls=disable");
const POSTGRES = new URL(
  process.env["LEVADA_TEST_POSTGRES"] ?? "postgres://postgres@127.0.0.1:5432/postgres?tls=disable",
);
const NAME = `levada_ui_${process.pid}`;
const ROWS = 500;

const CRM = `CREATE TABLE customers (id INT PRIMARY KEY, name VARCHAR(100) NOT NULL, city VARCHAR(100),
  credit DECIMAL(10,2) NOT NULL, updated_at DATETIME(6) NOT NULL);
INSERT INTO customers SELECT seq, CONCAT('Customer ', seq), ELT(1 + seq % 3, 'Funchal', 'Calheta, "Old Town"', NULL),
  seq * 7 % 1000 + 0.25, '2026-01-01' + INTERVAL seq MINUTE FROM seq_1_to_${ROWS};`;
const WAREHOUSE = `CREATE TABLE segments (customer_id int PRIMARY KEY, segment text NOT NULL);
INSERT INTO segments SELECT id, (ARRAY['loyal', 'new'])[1 + id % 2] FROM generate_series(1, ${ROWS}) AS id;`;

test.describe.configure({ mode: "serial" });

test.beforeAll(() => {
  maria(`CREATE DATABASE ${NAME}`, "");
  maria(CRM);
  postgres(`CREATE DATABASE ${NAME}`, POSTGRES.pathname.slice(1));
  postgres(WAREHOUSE);
});

test.afterAll(() => {
  maria(`DROP DATABASE ${NAME}`, "");
  postgres(`DROP DATABASE ${NAME} WITH (FORCE)`, POSTGRES.pathname.slice(1));
});

test.beforeEach(async ({ context, levada }) => enter(context, levada));

test("connections are made from forms: a test says which step fails, then that all work", async ({
  page,
  levada,
}) => {
  await page.goto(`${levada.url}/connections/new`);
  await page.getByRole("button", { name: /^PostgreSQL/ }).click();
  await page.getByLabel("Name", { exact: true }).fill("hub");
  await page.getByLabel("Host").fill(POSTGRES.hostname);
  await page.getByLabel("Port").fill("1");
  await page.getByLabel("Database").fill(NAME);
  await page.getByLabel("User").fill(decodeURIComponent(POSTGRES.username));
  await page.getByLabel("TLS", { exact: true }).selectOption("disable");
  if (POSTGRES.password)
    await page.getByRole("textbox", { name: "Password" }).fill(decodeURIComponent(POSTGRES.password));
  await page.getByRole("button", { name: "Test", exact: true }).click();
  await expect(page.getByRole("heading", { name: "It does not work yet" })).toBeVisible();
  await expect(page.getByText("Reach it: failed")).toBeVisible();
  await page.getByLabel("Port").fill(POSTGRES.port);
  await page.getByRole("button", { name: "Test", exact: true }).click();
  await expect(page.getByRole("heading", { name: "It works" })).toBeVisible();
  await page.getByRole("button", { name: "Save connection" }).click();
  await expect(page).toHaveURL(/\/connections\/hub$/);
  await page.getByRole("treeitem", { name: /segments/ }).click();
  await expect(page.getByRole("cell", { name: "loyal" }).first()).toBeVisible();
  await grave(page);

  await page.goto(`${levada.url}/connections/new?connector=mysql&name=crm`);
  await page.getByRole("button", { name: "URL" }).click();
  await page
    .getByLabel("URL", { exact: true })
    .fill(`${MARIA.protocol}//${MARIA.username}@${MARIA.host}/${NAME}${MARIA.search}`);
  await page.getByRole("button", { name: "Save connection" }).click();
  await expect(page.getByRole("treeitem", { name: /customers/ })).toBeVisible();

  await page.goto(`${levada.url}/connections/new?connector=files&name=downloads`);
  await page.getByLabel("Root").fill("./downloads");
  await page.getByLabel("Format").selectOption("csv");
  await page.getByRole("button", { name: "Save connection" }).click();
  await expect(page.getByRole("heading", { name: "downloads" })).toBeVisible();
});

test("the guide makes a pipeline that updates what has changed, and a run of it succeeds", async ({
  page,
  levada,
}) => {
  await page.goto(`${levada.url}/pipelines/new`);
  await choose(page, "crm", "streams");
  await page.getByRole("treeitem", { name: /customers/ }).press("Space");
  await next(page, "destination");
  await choose(page, "hub", "how to load");
  await expect(page.getByLabel("Mode", { exact: true })).toHaveValue("changes");
  await expect(page.getByLabel("What is new is told by")).toHaveValue("updated_at");
  await next(page, "columns");
  await expect(page.getByRole("checkbox", { name: "id" })).toBeDisabled();
  await next(page, "schedule");
  await page.getByText("At times").click();
  await expect(page.getByRole("heading", { name: /Every day at 06:00/ })).toBeVisible();
  await expect(page.getByRole("region", { name: /Every day/ }).getByRole("listitem")).toHaveCount(5);
  await page.getByText("By hand").click();
  await next(page, "review");
  await expect(page.getByText("exactly once")).toBeVisible();
  await expect(page.getByLabel("Name", { exact: true })).toHaveValue("customers_to_hub");
  await grave(page);
  await page.reload();
  await expect(page.getByLabel("Name", { exact: true })).toHaveValue("customers_to_hub");
  await saveAndRun(page);
  await succeeded(page);
  expect(postgres("SELECT count(*), sum(credit) FROM customers")).toBe(
    maria("SELECT count(*), sum(credit) FROM customers"),
  );
});

test("segments go the other way, replaced each time", async ({ page, levada }) => {
  await page.goto(`${levada.url}/pipelines/new?step=streams&source=hub`);
  await page.getByRole("treeitem", { name: /segments/ }).press("Space");
  await next(page, "destination");
  await choose(page, "crm", "how to load");
  await expect(page.getByLabel("Mode", { exact: true })).toHaveValue("replace");
  await next(page, "columns");
  await next(page, "schedule");
  await next(page, "review");
  await saveAndRun(page);
  await succeeded(page);
  expect(maria("SELECT count(*), count(DISTINCT segment) FROM segments")).toBe(`${ROWS}\t2`);
});

test("files cannot be updated by key, and the guide says so; the CSV that is downloaded has the rows of the database", async ({
  page,
  levada,
}) => {
  await page.goto(`${levada.url}/pipelines/new?step=streams&source=crm`);
  await page.getByRole("treeitem", { name: /customers/ }).press("Space");
  await next(page, "destination");
  await choose(page, "downloads", "how to load");
  const impossible = page.getByRole("option", {
    name: "Update what has changed: Files cannot be updated by key",
  });
  await expect(impossible).toBeDisabled();
  await next(page, "columns");
  await page.getByLabel("New name of credit").fill("limit_eur");
  await next(page, "schedule");
  await next(page, "review");
  await page.getByLabel("Name", { exact: true }).fill("customers_as_csv");
  await saveAndRun(page);
  await succeeded(page);

  await page.goto(`${levada.url}/connections/downloads?part=files`);
  const file = page.getByRole("link", { name: /^Download customers\/.*\.csv$/ });
  const [download] = await Promise.all([page.waitForEvent("download"), file.click()]);
  const lines = await text(await download.createReadStream());
  expect(lines[0]).toBe("id,name,city,limit_eur,updated_at");
  const wanted = maria("SELECT id, name, IFNULL(city, ''), credit FROM customers ORDER BY id").split("\n");
  const found = lines
    .slice(1)
    .map(fields)
    .sort((a, b) => Number(a[0]) - Number(b[0]));
  expect(found.map((row) => row.slice(0, 4).join("\t"))).toEqual(wanted);
});

test("a table that is gone fails the run with its cause; when it is back, a retry is green", async ({
  page,
  levada,
}) => {
  maria("RENAME TABLE customers TO elsewhere");
  const failed = await run(page, levada, "customers_to_hub");
  await page.goto(`${levada.url}/runs/${failed}`);
  await expect(page.getByText(/there is no stream .?customers/).first()).toBeVisible({ timeout: 30_000 });
  maria("RENAME TABLE elsewhere TO customers");
  await page.getByRole("button", { name: "Retry failed" }).click();
  await expect(page).toHaveURL(new RegExp(`/runs/(?!${failed}\\b)`));
  await succeeded(page);
});

test("mistakes stand where they can be mended; a connection in use stays", async ({ page, levada }) => {
  await page.goto(`${levada.url}/pipelines/new`);
  await page.getByRole("button", { name: "From YAML or an example" }).click();
  await page
    .getByLabel("Paste it here, or drop a file")
    .fill(
      "version: 1\nname: wrong\nschedule: 61 * * * *\nsync: { from: crm, to: hub, streams: [customers] }\n",
    );
  await page.getByRole("button", { name: "Start from this text" }).click();
  await expect(page.getByText(/is not between 0 and 59/).first()).toBeVisible();
  await expect(page.getByRole("button", { name: "Save and run" })).toHaveAttribute("aria-disabled", "true");
  await page.getByRole("link", { name: "Go to schedule" }).click();
  await expect(page).toHaveURL(/step=schedule/);
  await page.getByText("By hand").click();
  await next(page, "review");
  await expect(page.getByText("exactly once")).toBeVisible();

  await page.goto(`${levada.url}/connections/crm`);
  await page.getByRole("button", { name: "Delete this connection" }).click();
  await expect(page.getByRole("dialog", { name: "crm is in use" })).toContainText("customers_to_hub");
});

test("a connection is chosen, and its streams too, without a mouse", async ({ page, levada }) => {
  await page.goto(`${levada.url}/pipelines/new`);
  const radio = page.getByRole("radio", { name: /crm/ });
  await radio.focus();
  await page.keyboard.press("Space");
  await page.getByRole("button", { name: "Continue: streams" }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("treeitem").first().focus();
  await page.keyboard.press("Space");
  await expect(page.getByText("1 chosen")).toBeVisible();
  // as quick as keys can be: the second one is already for the next row
  await page.evaluate(() => {
    for (const key of ["ArrowDown", " "])
      document.activeElement?.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  });
  await expect(page.getByText("2 chosen")).toBeVisible();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: "segments" })).toBeVisible();
});

/** Chooses a connection, and goes on. */
async function choose(page: Page, name: string, step: string): Promise<void> {
  await page.getByRole("radio", { name: new RegExp(`^${name}`) }).check({ force: true });
  await next(page, step);
}

async function next(page: Page, step: string): Promise<void> {
  await page.getByRole("button", { name: `Continue: ${step}` }).click();
}

async function saveAndRun(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Save and run" }).click();
  await expect(page).toHaveURL(/\/runs\/\d+/);
}

async function succeeded(page: Page): Promise<void> {
  await expect(page.getByRole("main").getByText("Succeeded", { exact: true }).first()).toBeVisible({
    timeout: 30_000,
  });
}

/** No finding that shuts people out. */
async function grave(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.filter(({ impact }) => impact === "serious" || impact === "critical")).toEqual([]);
}

function maria(sql: string, database = NAME): string {
  const args = [
    "--no-defaults",
    "--batch",
    "--skip-column-names",
    "--host",
    MARIA.hostname,
    "--port",
    MARIA.port,
  ];
  const env = { ...process.env, MYSQL_PWD: decodeURIComponent(MARIA.password) };
  const more = [
    "--user",
    decodeURIComponent(MARIA.username),
    "--default-character-set=utf8mb4",
    "--execute",
    sql,
  ];
  return execFileSync("mariadb", [...args, ...more, ...(database ? [database] : [])], { env })
    .toString()
    .trimEnd();
}

function postgres(sql: string, database = NAME): string {
  const url = new URL(POSTGRES);
  url.search = "";
  url.pathname = `/${database}`;
  return execFileSync("psql", [
    "-X",
    "-q",
    "-A",
    "-t",
    "-F",
    "\t",
    "-v",
    "ON_ERROR_STOP=1",
    "-c",
    sql,
    url.href,
  ])
    .toString()
    .trimEnd();
}

async function text(stream: AsyncIterable<Buffer | string>): Promise<string[]> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString().trimEnd().split(/\r?\n/);
}

/** The fields of a line of CSV (RFC 4180) without line breaks in it. */
function fields(line: string): string[] {
  return [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
    ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? "",
  );
}
