import { enter, ADMIN, addUser, expect, run, test } from "./test";

test.describe.configure({ mode: "serial" });
// nobody was here before
test.use({ server: "first run" });

test("the link of the first start makes the administrator, once", async ({ page, levada }) => {
  await page.goto(`${levada.url}/setup#${levada.setUpSecret}`);
  await page.getByLabel("Name").fill(ADMIN.name);
  await page.getByRole("textbox", { name: "Password" }).fill("short");
  await page.getByRole("button", { name: "Make the administrator" }).click();
  await expect(page.getByRole("alert")).toHaveText("10 characters at least.");
  await page.getByRole("textbox", { name: "Password" }).fill(ADMIN.password);
  await page.getByRole("button", { name: "Make the administrator" }).click();
  await page.getByRole("link", { name: "Look around" }).click();
  await expect(page.getByRole("heading", { name: "Overview" })).toBeVisible();
  await page.goto(`${levada.url}/setup#${levada.setUpSecret}`);
  await expect(page.getByRole("heading", { name: "This server is set up" })).toBeVisible();
});

test("whoever has not signed in is led back to the page they wanted", async ({ page, levada }) => {
  await page.goto(`${levada.url}/runs?state=failed`);
  await page.getByLabel("Name").fill(ADMIN.name);
  await page.getByRole("textbox", { name: "Password" }).fill("something else");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("alert")).toHaveText("Name or password are wrong.");
  await page.getByRole("textbox", { name: "Password" }).fill(ADMIN.password);
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(`${levada.url}/runs?state=failed`);
});

test("too many wrong passwords have to wait, and it says how long", async ({ page, levada }) => {
  await page.goto(`${levada.url}/sign-in`);
  await page.getByLabel("Name").fill("nobody");
  await page.getByRole("textbox", { name: "Password" }).fill("wrong");
  const button = page.getByRole("button", { name: "Sign in" });
  await expect(async () => {
    await button.click({ timeout: 1_000 });
    await expect(page.getByText("Too many wrong passwords")).toBeVisible({ timeout: 500 });
  }).toPass();
  await expect(page.getByText(/The next try is possible in \d/)).toBeVisible();
});

test("a run that starts in one browser shows in another within half a second", async ({
  browser,
  levada,
}) => {
  const [one, other] = [await browser.newContext(), await browser.newContext()];
  await Promise.all([enter(one, levada), enter(other, levada)]);
  const [here, there] = [await one.newPage(), await other.newPage()];
  await run(here, levada, "customers");
  await there.goto(`${levada.url}/runs`);
  await expect(there.getByText("Live", { exact: true })).toBeVisible();
  await here.goto(`${levada.url}/pipelines`);
  const start = here.getByRole("button", { name: "Run customers now" });
  await expect(start).toBeVisible();
  const answered = here.waitForResponse((response) => response.url().endsWith("/pipelines/customers/runs"));
  await start.click();
  await answered;
  await expect(there.getByRole("button", { name: "Show 1 new run" })).toBeVisible({ timeout: 500 });
  await there.getByRole("button", { name: "Show 1 new run" }).click();
  await expect(there.getByRole("row").nth(1)).toContainText("customers");
});

test("a failure shows with its reason, and leads to its run", async ({ page, context, levada }) => {
  await enter(context, levada);
  const failed = await run(page, levada, "broken");
  await page.goto(levada.url);
  await expect(page.getByText("broken needs attention")).toBeVisible();
  const failures = page.getByRole("region", { name: "Failures" });
  await expect(failures).toContainText("missing.csv");
  await failures.getByRole("link", { name: "broken" }).click();
  await expect(page).toHaveURL(new RegExp(`/runs/${failed}`));
});

test("a page goes on by itself after the server was killed", async ({ page, context, levada }) => {
  await enter(context, levada);
  await page.goto(`${levada.url}/runs`);
  await expect(page.getByText("Live", { exact: true })).toBeVisible();
  const { startAgain } = await levada.kill();
  await expect(page.getByText("Reconnecting", { exact: true })).toBeVisible();
  await startAgain();
  await expect(page.getByText("Live", { exact: true })).toBeVisible({ timeout: 20_000 });
  const made = await run(page, levada, "customers");
  // announced, or in the list that the page reads anew once it is back
  const announced = page.getByRole("button", { name: "Show 1 new run" });
  await expect(announced.or(page.getByRole("link", { name: String(made), exact: true }))).toBeVisible();
});

test("everything is reached with the keyboard alone", async ({ page, context, levada }) => {
  await enter(context, levada);
  await page.goto(levada.url);
  await expect(page.getByRole("heading", { name: "Overview" })).toBeVisible();
  await page.keyboard.press("Control+k");
  await page.keyboard.type("custom");
  await expect(page.getByRole("option", { name: /customers/ }).first()).toBeVisible();
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/pipelines\/customers\/graph/);
  await expect(page.getByRole("heading", { name: "customers" })).toBeVisible();
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await page.keyboard.press("g");
  await page.keyboard.press("r");
  await expect(page).toHaveURL(/\/runs$/);
  await expect(page.getByRole("row").nth(1)).toBeVisible();
  await page.keyboard.press("/");
  await page.keyboard.type("broken");
  await expect(page).toHaveURL(/q=broken/);
  await page.getByRole("row").nth(1).focus();
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/runs\/\d+/);
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog", { name: "Keys" })).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);
});

test("a viewer is not offered what they may not do", async ({ browser, levada }) => {
  const admin = await browser.newContext();
  await enter(admin, levada);
  const viewer = await browser.newContext();
  await enter(viewer, levada, await addUser(admin, levada, "vera", "viewer"));
  const page = await viewer.newPage();
  await page.goto(`${levada.url}/pipelines`);
  await expect(page.getByRole("row").nth(1)).toBeVisible();
  await expect(page.getByRole("link", { name: "New pipeline" })).toHaveCount(0);
  await expect(page.getByRole("button", { name: "Run customers now" })).toHaveAttribute(
    "aria-disabled",
    "true",
  );
  await page.goto(`${levada.url}/pipelines/new`);
  await expect(page.getByText("This page takes the role editor")).toBeVisible();
});
