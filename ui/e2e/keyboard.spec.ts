import type { Page } from "@playwright/test";
import { expect, PASSWORD, test, userOf } from "./harness";

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

const STEPS_MAX = 80;

/** Presses Tab until what has the focus is called so; whoever cannot see the page gets there in the same way. */
async function tabTo(page: Page, name: string | RegExp): Promise<void> {
  for (let step = 0; step < STEPS_MAX; step += 1) {
    await page.keyboard.press("Tab");
    const called = await page.evaluate(nameOfFocused);
    if (typeof name === "string" ? called === name : name.test(called)) return;
  }
  throw new Error(`Tab does not lead to ${String(name)}`);
}

function nameOfFocused(): string {
  const element = document.activeElement;
  if (!(element instanceof HTMLElement)) return "";
  const label = element instanceof HTMLInputElement ? element.labels?.[0]?.textContent : null;
  return (element.getAttribute("aria-label") ?? label ?? element.textContent ?? "").trim();
}
