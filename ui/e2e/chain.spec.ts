import type { Page } from "@playwright/test";
import { mkdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expectOpenToAll } from "./axe";
import { tabTo } from "./keys";
import { Levada } from "./levada";
import { ADMIN, expect, test } from "./test";

const PROJECT = `version: 1
connections:
  warehouse: { type: sqlite, path: ./warehouse.db }
`;

/** A file that was written long ago: one that may still grow is left alone. */
function writePeople(folder: string): void {
  const file = join(folder, "data", "people.csv");
  mkdirSync(join(folder, "data"), { recursive: true });
  writeFileSync(file, "id,name\n1,Ana\n2,Rui\n");
  const long = new Date("2026-01-01T00:00:00Z");
  utimesSync(file, long, long);
}

test("the whole way by keyboard alone: set up, connect, load, fail, read why, mend, retry", async ({
  browser,
}) => {
  test.setTimeout(180_000);
  const levada = await Levada.start((folder) => {
    writeFileSync(join(folder, "levada.yaml"), PROJECT);
    writePeople(folder);
  });
  const page = await (await browser.newContext({ baseURL: levada.url })).newPage();
  await setUp(page, levada.setUpSecret);
  await connect(page);
  await compose(page);
  // what worked while the pipeline was made is gone when it runs
  rmSync(join(levada.folder, "data", "people.csv"));
  await press(page, "Save and run");
  await expect(page).toHaveURL(/\/runs\/\d+/);
  await readWhy(page);
  writePeople(levada.folder);
  const failed = page.url();
  await press(page, "Retry failed");
  await expect(page).not.toHaveURL(failed);
  await expect(page.locator("main").getByText("Succeeded").first()).toBeVisible({ timeout: 30_000 });
  await expect(page.getByText("Adds up")).toBeVisible();
  await page.context().close();
  await levada.stop();
});

async function setUp(page: Page, secret: string): Promise<void> {
  await page.goto(`/setup#${secret}`);
  await expect(page.getByLabel("Name")).toBeFocused();
  await expectOpenToAll(page, "set-up");
  await page.keyboard.type(ADMIN.name);
  await tabTo(page, "Password");
  await page.keyboard.type(ADMIN.password);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: `Welcome, ${ADMIN.name}` })).toBeVisible();
  await expectOpenToAll(page, "what comes first");
  await press(page, /^Add a connection/);
}

async function connect(page: Page): Promise<void> {
  await expect(page).toHaveURL(/\/connections\/new/);
  await expect(page.getByRole("button", { name: /^Files/ })).toBeVisible();
  await press(page, /^Files/);
  await expect(page.getByLabel("Name", { exact: true })).toBeVisible();
  await tabTo(page, "Name");
  await page.keyboard.press("Control+a");
  await page.keyboard.type("exports");
  await tabTo(page, /^Root/);
  await page.keyboard.type("./data");
  await press(page, "Test");
  await expect(page.getByRole("heading", { name: "It works" })).toBeVisible();
  await press(page, "Save connection");
  await expect(page).toHaveURL(/\/connections\/exports$/);
  await press(page, "New pipeline");
}

async function compose(page: Page): Promise<void> {
  await expect(page.getByRole("treeitem", { name: /people\.csv/ })).toBeVisible();
  await tabTo(page, /^people\.csv/);
  await page.keyboard.press("Space");
  await expect(page.getByText("1 chosen")).toBeVisible();
  await goOn(page, "destination");
  await tabTo(page, /^exports/);
  await page.keyboard.press("ArrowDown");
  await expect(page.getByRole("radio", { name: /^warehouse/ })).toBeChecked();
  for (const step of ["how to load", "columns", "schedule", "review"]) await goOn(page, step);
  await expect(page.getByText("will be made")).toBeVisible();
  await expect(page.getByLabel("Name", { exact: true })).not.toHaveValue("");
}

async function readWhy(page: Page): Promise<void> {
  await expect(page.getByRole("button", { name: "Retry failed" })).toBeVisible({ timeout: 30_000 });
  await expect(page.getByRole("tab", { name: "Overview" })).toBeVisible();
  await tabTo(page, "Overview");
  await page.keyboard.press("ArrowRight");
  await expect(page.getByRole("tab", { name: "Log" })).toBeFocused();
  await expect(page.getByRole("region", { name: "Lines of the log" })).toContainText("people.csv");
  await expectOpenToAll(page, "log");
}

/** Goes to a button or a link, and presses it. */
async function press(page: Page, name: string | RegExp): Promise<void> {
  await tabTo(page, name);
  await page.keyboard.press("Enter");
}

/** Goes on to the next step of the guide, once that can be done. */
async function goOn(page: Page, step: string): Promise<void> {
  const name = `Continue: ${step}`;
  await expect(page.getByRole("button", { name })).not.toHaveAttribute("aria-disabled", "true");
  await press(page, name);
  await expect(page.getByRole("button", { name })).toHaveCount(0);
}
