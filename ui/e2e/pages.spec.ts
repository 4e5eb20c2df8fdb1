import AxeBuilder from "@axe-core/playwright";
import { expect, test, type Page } from "@playwright/test";

// Needs a server that is set up: its address, and a user's name and password, come from the environment.
const NAME = process.env["LEVADA_USER"] ?? "admin";
const PASSWORD = process.env["LEVADA_PASSWORD"] ?? "";
const ONLY = process.env["PAGES"]?.split(",");

const PAGES: Record<string, string> = {
  overview: "/",
  pipelines: "/pipelines",
  "pipelines-none": "/pipelines?q=nothing-is-called-like-this",
  runs: "/runs",
  "runs-failed": "/runs?state=failed",
  compare: "/runs/compare?a=1&b=2",
  nowhere: "/nowhere",
};
const SIZES = { wide: { width: 1440, height: 900 }, narrow: { width: 360, height: 740 } };
const THEMES = ["light", "dark"] as const;

for (const theme of THEMES) {
  for (const [size, viewport] of Object.entries(SIZES)) {
    test.describe(`${theme} ${size}`, () => {
      test.use({ colorScheme: theme, viewport });

      test("sign in", async ({ page }) => {
        await page.goto("/sign-in");
        await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
        await look(page, `sign-in-${size}-${theme}`);
      });

      test("pages", async ({ page }) => {
        test.setTimeout(180_000);
        await page.goto("/sign-in");
        await page.getByLabel("Name").fill(NAME);
        await page.getByRole("textbox", { name: "Password" }).fill(PASSWORD);
        await page.getByRole("button", { name: "Sign in" }).click();
        await page.waitForURL((url) => url.pathname === "/");
        for (const [name, path] of Object.entries(PAGES)) {
          if (ONLY && !ONLY.includes(name)) continue;
          await page.goto(path);
          await expect(page.locator("main h1, main p").first()).toBeVisible();
          await expect(page.locator("[aria-busy=true]")).toHaveCount(0);
          await look(page, `${name}-${size}-${theme}`);
        }
      });
    });
  }
}

/** Keeps a picture, and expects no finding that shuts people out, and nothing wider than the window. */
async function look(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: `e2e/output/${name}.png` });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  expect.soft(wide, `${name} is wider than the window`).toBeLessThanOrEqual(0);
  const { violations } = await new AxeBuilder({ page }).analyze();
  const grave = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  const told = grave.map(
    ({ id, nodes }) =>
      `${id}: ${nodes.map((node) => `${node.target.join(" ")} ${node.failureSummary}`).join("\n")}`,
  );
  expect.soft(told, name).toEqual([]);
}
