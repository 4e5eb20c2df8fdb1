import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "./test";
import { Levada } from "./levada";

test("who sets up an empty server loads the demo, and sees rows arrive", async ({ page }) => {
  const levada = await Levada.start((folder) => writeFileSync(join(folder, "levada.yaml"), "version: 1\n"));
  await page.goto(`${levada.url}/setup#${levada.setUpSecret}`);
  await page.getByLabel("Name").fill("anna");
  await page.getByRole("textbox", { name: "Password" }).fill("ten bytes or more");
  await page.getByRole("button", { name: "Make the administrator" }).click();
  await page.getByRole("button", { name: "Load the demo" }).click();
  // pipelines are stored and a run is started first, which takes its time on a busy machine
  await expect(page).toHaveURL(/\/runs\/1$/, { timeout: 20_000 });
  await expect(page.locator("main").getByText("Succeeded").first()).toBeVisible({ timeout: 20_000 });
  await page.getByRole("option", { name: /^count/ }).click();
  await page.getByRole("tab", { name: "Log" }).click();
  await expect(page.getByText("200 more rows are in the warehouse")).toBeVisible();
  await levada.stop();
});
