import type { Page } from "@playwright/test";
import { expectOpenToAll } from "./axe";
import { settled } from "./harness";
import type { Levada } from "./levada";
import { enter, expect, run, test } from "./test";

/** Each theme, and each size, once: they do not depend on one another. */
const LOOKS = [
  { colorScheme: "light", viewport: { width: 1440, height: 900 } },
  { colorScheme: "dark", viewport: { width: 360, height: 740 } },
] as const;

/** What opens over a page, or within it: how one gets there, and what it is called. */
const PLACES: Record<string, (page: Page, levada: Levada) => Promise<void>> = {
  log: async (page, levada) => {
    const id = await run(page, levada, "greet");
    await page.goto(`${levada.url}/runs/${id}?task=hello&part=log`);
    await page.getByRole("searchbox", { name: "Search the log" }).fill("HELLO");
    await expect(page.locator("mark").first()).toHaveText("hello");
  },
  "graph editing": async (page, levada) => {
    await page.goto(`${levada.url}/pipelines/steps/graph?edit=yes&task=one`);
    await expect(page.getByRole("complementary", { name: "Task one" })).toBeVisible();
  },
  "starting a run": async (page, levada) => {
    await page.goto(`${levada.url}/pipelines/steps/graph`);
    await page.getByRole("button", { name: "Run now" }).click();
    await expect(page.getByRole("dialog", { name: "Run steps" })).toBeVisible();
  },
  backfill: async (page, levada) => {
    await page.goto(`${levada.url}/pipelines/customers/runs`);
    await page.getByRole("button", { name: "More" }).click();
    await page.getByRole("menuitem", { name: "Backfill" }).click();
    await expect(page.getByRole("dialog")).toBeVisible();
  },
  "asking before something goes": async (page, levada) => {
    await page.goto(`${levada.url}/pipelines/steps/settings`);
    await page.getByRole("button", { name: "Delete the pipeline" }).click();
    await expect(page.getByRole("dialog").getByRole("textbox")).toBeVisible();
  },
  "a new token": async (page, levada) => {
    await page.goto(`${levada.url}/admin/tokens`);
    await page.getByRole("button", { name: "New token" }).click();
    await expect(page.getByRole("dialog").getByLabel("Name")).toBeVisible();
  },
  palette: async (page, levada) => {
    await page.goto(levada.url);
    await page.getByRole("button", { name: "Search and commands" }).click();
    await page.getByRole("combobox", { name: "Search and commands" }).fill("steps");
    await expect(page.getByRole("option", { name: "Pause steps" })).toBeVisible();
  },
};

for (const look of LOOKS)
  test.describe(`${look.colorScheme}, ${look.viewport.width} px`, () => {
    test.use(look);
    test.beforeEach(({ context, levada }) => enter(context, levada));

    for (const [name, open] of Object.entries(PLACES))
      test(name, async ({ page, levada }) => {
        await open(page, levada);
        await expectOpenToAll(page, name);
      });

    test("the guide, from its first step to its last", async ({ page, levada }) => {
      await page.goto(`${levada.url}/pipelines/new`);
      await page.getByRole("radio", { name: /^exports/ }).check({ force: true });
      await goOn(page, "streams");
      await page.getByRole("treeitem", { name: /customers\.csv/ }).press("Space");
      await goOn(page, "destination");
      await page.getByRole("radio", { name: /^warehouse/ }).check({ force: true });
      for (const step of ["how to load", "columns", "schedule", "review"]) await goOn(page, step);
      await expect(page.getByRole("button", { name: "Save and run" })).toBeInViewport();
    });
  });

/** Looks at a step of the guide, and goes on to the next one. */
async function goOn(page: Page, step: string): Promise<void> {
  await page.getByRole("button", { name: `Continue: ${step}` }).click();
  await expect(page.getByRole("button", { name: `Continue: ${step}` })).toHaveCount(0);
  await settled(page);
  await expectOpenToAll(page, step);
}
