import type { Page } from "@playwright/test";
import { expect, ROLES, settled, test, userOf, type RoleName } from "./harness";
import { PAGES } from "./pages";

test.use({ house: "roles" });

test.beforeAll(async ({ server }) => {
  const cookie = await server.session();
  await server.post("/api/v1/pipelines/greet/runs", {}, cookie);
  await server.run("customers", cookie);
  await server.post("/v1/department", { name: "Supply" }, cookie);
  await server.post("/v1/employee", { name: "Ada" }, cookie);
});

const may = (role: RoleName, wanted: RoleName | undefined) =>
  !wanted || ROLES.indexOf(role) >= ROLES.indexOf(wanted);

for (const role of ROLES)
  test(`${role}: every page shows what it may, says why not, and asks for nothing that is refused`, async ({
    browser,
    server,
  }) => {
    test.setTimeout(180_000);
    const page = await server.signedIn(browser, userOf(role));
    const refused = refusals(page);
    for (const { name, path, role: wanted } of PAGES) {
      await page.goto(path);
      await settled(page);
      // who may not see a page is told who they are, and what it takes
      const denial = page.getByText("You are signed in as");
      if (may(role, wanted)) await expect.soft(denial, name).toHaveCount(0);
      else await expect.soft(page.getByText(`the role ${wanted ?? ""}`).first(), name).toBeVisible();
    }
    expect(refused).toEqual([]);
    await page.context().close();
  });

/** Every request of a page that was refused. */
function refusals(page: Page): string[] {
  const refused: string[] = [];
  page.on("response", (response) => {
    if (response.status() === 403 || response.status() >= 500)
      refused.push(`${response.status()} ${response.request().method()} ${new URL(response.url()).pathname}`);
  });
  return refused;
}

const TABS: Record<RoleName, string[]> = {
  viewer: ["Tokens", "Workers", "Your account", "About"],
  operator: ["Tokens", "Workers", "Your account", "About"],
  editor: ["Tokens", "Secrets", "Workers", "Your account", "About"],
  admin: ["Users", "Tokens", "Secrets", "Audit log", "Workers", "Settings", "Your account", "About"],
};

for (const role of ROLES)
  test(`${role}: what can be done is offered by role`, async ({ browser, server }) => {
    const page = await server.signedIn(browser, userOf(role));
    await page.goto("/admin");
    await expect(page.getByRole("navigation", { name: "Admin" }).getByRole("link")).toHaveText(TABS[role]);

    await page.goto("/data/department");
    await expect(page.getByRole("gridcell", { name: "Supply" })).toBeVisible();
    await expectOffered(page, "Add row", may(role, "editor"));
    await page.getByRole("button", { name: "Actions of department 1" }).click();
    const remove = page.getByRole("menuitem", { name: /^Delete for good/ });
    if (may(role, "editor")) await expect(remove).toBeEnabled();
    else await expect(remove).toContainText("This takes the role editor.");

    await page.goto("/data/employee");
    if (may(role, "operator")) await expect(page.getByRole("gridcell", { name: "Ada" })).toBeVisible();
    else await expect(page.getByText("These rows take the role operator")).toBeVisible();

    await page.goto("/pipelines");
    await expectOffered(page, "Run greet now", may(role, "operator"));
    await page.context().close();
  });

async function expectOffered(page: Page, name: string, isOffered: boolean): Promise<void> {
  const button = page.getByRole("button", { name }).first();
  if (isOffered) await expect(button).not.toHaveAttribute("aria-disabled", "true");
  else await expect(button).toHaveAttribute("aria-disabled", "true");
}
