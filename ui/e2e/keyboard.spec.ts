import { expect, PASSWORD, test, userOf } from "./harness";
import { tabTo } from "./keys";

test.use({ house: "keyboard" });

test("by keyboard alone: sign in, find a pipeline, run it, read its log", async ({ browser, server }) => {
  const context = await browser.newContext({ baseURL: server.url });
  const page = await context.newPage();
  await page.goto("/sign-in");
  await expect(page.getByLabel("Name")).toBeFocused();
  await page.keyboard.type(userOf("admin"));
  await tabTo(page, "Password");
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: "Overview" })).toBeVisible();

  await page.keyboard.press("g");
  await page.keyboard.press("p");
  await expect(page.getByRole("heading", { name: "Pipelines" })).toBeVisible();
  await page.keyboard.press("/");
  await page.keyboard.type("greet");
  await expect(page).toHaveURL(/q=greet/);
  await tabTo(page, "Run greet now");
  const started = page.waitForResponse(
    (response) => response.request().method() === "POST" && response.url().endsWith("/runs"),
  );
  await page.keyboard.press("Enter");
  const { id } = (await (await started).json()) as { id: number };

  await page.keyboard.press("Control+k");
  await page.keyboard.type(String(id));
  await expect(page.getByRole("option", { name: new RegExp(`\\b${id}\\b`) }).first()).toBeVisible();
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(new RegExp(`/runs/${id}`));
  await expect(page.getByText("Succeeded").first()).toBeVisible();
  await tabTo(page, /hello/);
  await page.keyboard.press("Enter");
  await expect(page.getByText("hello from the log")).toBeVisible();
  await context.close();
});
