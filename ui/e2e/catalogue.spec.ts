import { expectOpenToAll } from "./axe";
import { expect, settled, test } from "./harness";

test.use({ house: "catalogue" });

const PLACE = "/catalogue/dataset?name=warehouse.customers";

test("nothing is known before the first run, and a run shows at once", async ({ admin, server }) => {
  await admin.goto("/catalogue");
  await expect(admin.getByText("Nothing is known yet")).toBeVisible();
  await expect(admin.getByText("Live", { exact: true })).toBeVisible();
  await server.run("customers", await server.session());
  await expect(admin.getByRole("row", { name: /warehouse\.customers/ })).toBeVisible({ timeout: 3_000 });
  await expect(admin.getByRole("row", { name: /exports\.customers\.csv/ })).toContainText("only read");
});

test("a dataset is found by a column, and leads to what it is made from", async ({ admin, server }) => {
  await server.run("customers", await server.session());
  await admin.goto("/catalogue");
  await admin.getByLabel("Search datasets and columns").fill("NAM");
  const row = admin.getByRole("row", { name: /warehouse\.customers/ });
  await expect(row).toContainText("with the columns name");
  await row.getByRole("link", { name: "warehouse.customers" }).click();
  await expect(admin.getByRole("heading", { level: 1, name: "warehouse.customers" })).toBeVisible();
  const columns = admin.getByRole("table", { name: "Columns" });
  await expect(columns.getByRole("row")).toHaveCount(3);
  await columns.getByRole("link", { name: "Lineage of name" }).click();
  await expect(admin).toHaveURL(/part=lineage&column=name/);
  const source = admin.getByRole("group", { name: /^exports\.customers\.csv/ });
  await source.click();
  const aside = admin.getByRole("complementary", { name: "Dataset exports.customers.csv" });
  await expect(aside.getByRole("list", { name: "Columns to warehouse.customers" })).toHaveText("name");
  await expectOpenToAll(admin, "catalogue-lineage");
  await admin.getByLabel("Column", { exact: true }).selectOption("");
  await expect(
    aside.getByRole("list", { name: "Columns to warehouse.customers" }).getByRole("listitem"),
  ).toHaveCount(2);
  await aside.getByRole("link", { name: "exports.customers.csv" }).click();
  await expect(admin.getByRole("heading", { level: 1, name: "exports.customers.csv" })).toBeVisible();

  await admin.goto(`${PLACE}&part=loads`);
  await expect(
    admin.getByRole("table", { name: "Loads", exact: true }).getByRole("row").nth(1),
  ).toContainText("exports.customers.csv");
  await admin.goto(`${PLACE}&part=history`);
  await expect(admin.getByText("The first that was seen.")).toBeVisible();
});

test("what is written about a dataset is found again; who comes second is told", async ({
  browser,
  server,
}) => {
  await server.run("customers", await server.session());
  const [first, second] = [await server.signedIn(browser), await server.signedIn(browser)];
  for (const window of [first, second]) {
    await window.goto(PLACE);
    await settled(window);
    await window.getByRole("button", { name: "Edit", exact: true }).click();
  }
  for (const [window, owner] of [
    [first, "anna"],
    [second, "rui"],
  ] as const) {
    const dialog = window.getByRole("dialog", { name: "About warehouse.customers" });
    await dialog.getByLabel("Owner").fill(owner);
    await dialog.getByRole("textbox", { name: "Tag" }).fill("crm");
    await dialog.getByRole("button", { name: "Save" }).click();
    if (window === first) await expect(dialog).toHaveCount(0);
    else await expect(dialog.getByRole("alert")).toBeVisible();
  }
  await first.getByRole("link", { name: "crm" }).click();
  await expect(first).toHaveURL(/\/catalogue\?tag=crm/);
  await expect(first.getByRole("row", { name: /warehouse\.customers/ })).toContainText("anna");

  await first.goto(PLACE);
  await first.getByRole("button", { name: "Write about name" }).click();
  const column = first.getByRole("dialog", { name: "Column name" });
  await column.getByLabel("About").fill("What they are called");
  await column.getByRole("textbox", { name: "Tag" }).fill("pii");
  await column.getByRole("button", { name: "Save" }).click();
  await expect(first.getByRole("table", { name: "Columns" })).toContainText("What they are called");
  for (const window of [first, second]) await window.context().close();
});

test("by the keys alone, from the palette to a column's dataset", async ({ admin, server }) => {
  await server.run("customers", await server.session());
  await admin.goto("/");
  await settled(admin);
  await admin.keyboard.press("g");
  await admin.keyboard.press("t");
  await expect(admin).toHaveURL(/\/catalogue$/);
  await admin.keyboard.press("ControlOrMeta+k");
  await admin.keyboard.type("warehouse.cust");
  await expect(admin.getByRole("option", { name: /warehouse\.customers/ })).toBeVisible();
  await admin.keyboard.press("Enter");
  await expect(admin.getByRole("heading", { level: 1, name: "warehouse.customers" })).toBeVisible();
});

test("Enter means what the last letter finds, however late the answer comes", async ({ admin, server }) => {
  await server.run("customers", await server.session());
  await admin.goto("/");
  await settled(admin);
  await admin.keyboard.press("ControlOrMeta+k");
  await admin.keyboard.type("warehouse");
  const options = admin.getByRole("listbox", { name: "Found" }).getByRole("option");
  await expect(options.filter({ hasText: "warehouse.customers" })).toBeVisible();
  await expect(options.first()).not.toContainText("warehouse.customers");
  await admin.route("**/api/v1/search?*", async (route) => {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await route.continue();
  });
  await admin.keyboard.type(".cust");
  await admin.keyboard.press("Enter");
  await expect(admin.getByRole("heading", { level: 1, name: "warehouse.customers" })).toBeVisible();
});

test("who may not edit is told so, and a dataset that is not there as well", async ({ browser, server }) => {
  await server.run("customers", await server.session());
  const page = await server.signedIn(browser, "viewer");
  await page.goto(PLACE);
  await expect(page.getByRole("button", { name: "Edit", exact: true })).toBeDisabled();
  await page.goto("/catalogue/dataset?name=warehouse.nothing");
  await expect(page.getByText(/there is no dataset/)).toBeVisible();
  await page.context().close();
});

test("what others make of a dataset is part of its lineage", async ({ admin, server }) => {
  const cookie = await server.session();
  await server.run("customers", cookie);
  const { project } = await server.get<{ project: string | null }>("/api/v1/settings", cookie);
  const ours = { namespace: `levada://${project ?? "levada"}/warehouse`, name: "customers" };
  const inputFields = [{ ...ours, field: "name" }];
  const facets = {
    schema: { fields: [{ name: "who", type: "VARCHAR" }] },
    columnLineage: { fields: { who: { inputFields } } },
  };
  const event = {
    eventType: "COMPLETE",
    eventTime: "2026-01-01T00:00:00Z",
    run: { runId: "018bcfe5-6800-7000-8000-00000000000a" },
    job: { namespace: "nightly", name: "mail" },
    inputs: [ours],
    outputs: [{ namespace: "s3://mail", name: "list", facets }],
  };
  await server.post("/api/v1/lineage", event, cookie);
  await admin.goto(`${PLACE}&part=lineage`);
  await admin.getByRole("group", { name: /^s3:\/\/mail\/list/ }).click();
  const aside = admin.getByRole("complementary", { name: "Dataset s3://mail/list" });
  await expect(aside).toContainText("by nightly/mail, a job of others");
  await expect(aside.getByRole("list", { name: "Columns from warehouse.customers" })).toContainText(
    "name → who",
  );
  await expectOpenToAll(admin, "catalogue-others");
  await aside.getByRole("link", { name: "s3://mail/list" }).click();
  await expect(admin.getByText("Told by others")).toBeVisible();
  await admin.goto("/catalogue/dataset?name=s3%3A%2F%2Fmail%2Flist&part=history");
  await expect(admin.getByText("first seen")).toContainText("by others");
});
