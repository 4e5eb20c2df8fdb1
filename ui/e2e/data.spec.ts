import { expect, test } from "./harness";

test.use({ house: "data" });

test("rows are added, changed in place, deleted and brought back", async ({ admin, server }) => {
  await admin.goto("/data/department");
  await expect(admin.getByText("department has no rows")).toBeVisible();
  await admin.getByRole("button", { name: "Add row" }).first().click();
  const dialog = admin.getByRole("dialog");
  await dialog.getByRole("button", { name: "Add row" }).click();
  await expect(dialog.getByRole("alert").first()).toBeVisible();
  await dialog.getByLabel("name").fill("Supply");
  await dialog.getByRole("button", { name: "Add row" }).click();
  await expect(admin.getByRole("gridcell", { name: "Supply" })).toBeVisible();

  // a value that is refused is told at its cell, and can be corrected there
  const budget = admin.getByRole("gridcell", { name: "0.00" });
  await budget.dblclick();
  const field = admin.getByRole("textbox", { name: "budget" });
  await field.fill("-5");
  await field.press("Enter");
  await expect(admin.getByRole("gridcell").getByRole("alert")).toBeVisible();
  await field.fill("12.5");
  await field.press("Enter");
  await expect(admin.getByRole("gridcell", { name: "12.50" })).toBeVisible();

  // somebody else is not overwritten unseen
  await admin.getByRole("gridcell", { name: "Supply" }).focus();
  const read = admin.waitForResponse(
    (response) => response.url().endsWith("/v1/department/1") && response.request().method() === "GET",
  );
  await admin.keyboard.press("Enter");
  await read;
  const cookie = await server.session();
  await fetch(`${server.url}/v1/department/1`, {
    method: "PATCH",
    headers: { "content-type": "application/json", "x-levada-csrf": "1", cookie },
    body: JSON.stringify({ name: "Theirs" }),
  });
  await admin.getByRole("textbox", { name: "name" }).fill("Mine");
  await admin.keyboard.press("Enter");
  const conflict = admin.getByRole("dialog", { name: "Somebody else changed this row" });
  await expect(conflict.getByRole("cell", { name: "Theirs" })).toBeVisible();
  await conflict.getByRole("button", { name: "Save mine" }).click();
  await expect(admin.getByRole("gridcell", { name: "Mine" })).toBeVisible();

  await admin.getByRole("button", { name: "Actions of department 1" }).click();
  await admin.getByRole("menuitem", { name: "Delete", exact: true }).click();
  await admin.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await expect(admin.getByRole("gridcell", { name: "Mine" })).toHaveCount(0);
  await admin.getByRole("switch", { name: "Deleted rows" }).click();
  await expect(admin.getByRole("gridcell", { name: "Mine" })).toBeVisible();
  await admin.getByRole("button", { name: "Actions of department 1" }).click();
  await admin.getByRole("menuitem", { name: "Restore" }).click();
  await expect(admin.getByText("department 1 is there again.", { exact: true })).toBeVisible();
});

test("what somebody else changes shows in its place, and new rows come when they are asked for", async ({
  browser,
  server,
}) => {
  const cookie = await server.session();
  const rows = [{ name: "Tides" }, { name: "Wells" }];
  await server.post("/v1/department/bulk", { rows }, cookie);
  const [here, there] = [await server.signedIn(browser), await server.signedIn(browser)];
  for (const page of [here, there])
    await page.goto("/data/department?name%5Bin%5D=Tides%2CWells%2CRain&sort=name");
  await expect(there.getByRole("gridcell", { name: "Wells" })).toBeVisible();
  await expect(there.getByText("Live", { exact: true })).toBeVisible();

  const row = here.getByRole("row").filter({ hasText: "Wells" });
  await row.getByRole("gridcell", { name: "0.00" }).dblclick();
  const field = here.getByRole("textbox", { name: "budget" });
  await field.fill("99");
  const saved = here.waitForResponse((response) => response.request().method() === "PATCH");
  await field.press("Enter");
  await saved;
  await expect(there.getByRole("gridcell", { name: "99.00" })).toBeVisible({ timeout: 500 });

  await server.post("/v1/department", { name: "Rain" }, cookie);
  const news = there.getByRole("button", { name: "Show rows that came or went" });
  await expect(news).toBeVisible();
  await expect(there.getByRole("gridcell", { name: "Rain" })).toHaveCount(0);
  await news.click();
  await expect(there.getByRole("gridcell", { name: "Rain" })).toBeVisible();
  await expect(news).toHaveCount(0);
  for (const page of [here, there]) await page.context().close();
});

test("a file is uploaded, and its mistakes are told row by row", async ({ admin }) => {
  await admin.goto("/data/department?part=upload");
  const rows = Array.from(
    { length: 300 },
    (_, index) => `Team ${String(index).padStart(3, "0")},${index === 7 ? "-1" : index}`,
  );
  const file = {
    name: "teams.csv",
    mimeType: "text/csv",
    buffer: Buffer.from(`name,budget\n${rows.join("\n")}\n`),
  };
  await admin.getByLabel("File with rows").setInputFiles(file);
  await admin.getByRole("button", { name: "Upload", exact: true }).click();
  await expect(admin.getByText("Nothing was kept: 1 mistake")).toBeVisible();
  const refused = admin.getByRole("region", { name: "Rows that were refused" });
  await expect(refused.getByRole("cell", { name: "8", exact: true })).toBeVisible();
  await expect(refused.getByRole("cell", { name: "budget", exact: true })).toBeVisible();
  const download = admin.waitForEvent("download");
  await refused.getByRole("button", { name: "Download as CSV" }).click();
  expect((await download).suggestedFilename()).toBe("department-refused.csv");

  await admin.getByLabel("What is kept").selectOption("each");
  await admin.getByLabel("Rows that are there already").selectOption("name");
  await admin.getByRole("button", { name: "Upload", exact: true }).click();
  await expect(admin.getByText("1 row of 300 could not be kept")).toBeVisible();
  await expect(admin.getByText("299 added, 0 changed")).toBeVisible();
  await admin.getByRole("link", { name: "Show rows" }).click();
  await expect(admin.getByRole("gridcell", { name: "Team 000" })).toBeVisible();
});

test("rows are sorted, filtered and read page by page", async ({ admin, server }) => {
  const rows = Array.from({ length: 450 }, (_, index) => ({
    name: `Unit ${String(index).padStart(3, "0")}`,
    budget: index,
  }));
  await server.post("/v1/department/bulk", { rows }, await server.session());
  await admin.goto("/data/department?name%5Bstarts_with%5D=Unit&sort=-budget");
  await expect(admin.getByRole("gridcell", { name: "Unit 449" })).toBeVisible();
  await admin.getByRole("gridcell", { name: "Unit 449" }).focus();
  // the keys are faster than the pages
  await expect(async () => {
    await admin.keyboard.press("PageDown");
    await expect(admin.getByRole("gridcell", { name: "Unit 000" })).toBeVisible({ timeout: 100 });
  }).toPass({ timeout: 45_000, intervals: [50] });
  await admin.getByRole("button", { name: "Filter" }).click();
  await admin.getByLabel("Column").selectOption("budget");
  await admin.getByLabel("Comparison").selectOption("ge");
  await admin.getByLabel("Value").fill("440");
  await admin.keyboard.press("Enter");
  await expect(admin.getByRole("grid")).toHaveAttribute("aria-rowcount", "11");
});

test("a report is run with its parameters, and taken away as a file", async ({ admin, server }) => {
  await server.post("/v1/department", { name: "Rich", budget: 1_000_000 }, await server.session());
  await admin.goto("/data/reports/large_departments");
  await admin.getByLabel("least").fill("much");
  await admin.getByRole("button", { name: "Run" }).click();
  await expect(admin.getByRole("alert")).toBeVisible();
  await admin.getByLabel("least").fill("900000");
  await admin.getByRole("button", { name: "Run" }).click();
  await expect(admin.getByRole("cell", { name: "Rich" })).toBeVisible();
  const download = admin.waitForEvent("download");
  await admin.getByRole("button", { name: "Download" }).click();
  await admin.getByRole("menuitem", { name: "As Parquet" }).click();
  expect((await download).suggestedFilename()).toBe("large_departments.parquet");
});
