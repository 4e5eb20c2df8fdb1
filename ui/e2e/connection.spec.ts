import { expect, test } from "./harness";

test.use({ house: "connection" });

test("whoever comes second to change a connection is told, and chooses", async ({ browser, server }) => {
  const [first, second] = [await server.signedIn(browser), await server.signedIn(browser)];
  for (const window of [first, second]) {
    await window.goto("/connections/exports?part=settings");
    await expect(window.getByLabel("Settle (ms)")).toHaveValue("0");
  }
  for (const [window, ms] of [
    [second, "250"],
    [first, "500"],
  ] as const)
    await window.getByLabel("Settle (ms)").fill(ms);
  await first.getByRole("button", { name: "Save changes" }).click();
  await expect(first.getByText("The connection exports is saved.", { exact: true })).toBeVisible();
  await second.getByRole("button", { name: "Save changes" }).click();
  const conflict = second.getByRole("dialog", { name: "Somebody else changed this connection" });
  await expect(conflict.getByRole("cell", { name: "250" })).toBeVisible();
  await expect(conflict.getByRole("cell", { name: "500" })).toBeVisible();
  await second.screenshot({ path: "e2e/output/pages/connection-conflict.png" });
  await conflict.getByRole("button", { name: "Take theirs" }).click();
  await expect(second.getByLabel("Settle (ms)")).toHaveValue("500");

  await second.getByLabel("Settle (ms)").fill("0");
  await second.getByRole("button", { name: "Save changes" }).click();
  await expect(second.getByText("The connection exports is saved.", { exact: true })).toBeVisible();
  for (const window of [first, second]) await window.context().close();
});

test("a test in one browser shows in another at once, and is there after the server was away", async ({
  browser,
  server,
}) => {
  const [here, there] = [await server.signedIn(browser), await server.signedIn(browser)];
  await here.goto("/connections/warehouse");
  await there.goto("/connections");
  const card = there.getByRole("listitem").filter({ hasText: "warehouse" }).first();
  await expect(card).toContainText("Not tested yet");
  await expect(there.getByText("Live", { exact: true })).toBeVisible();
  const answered = here.waitForResponse((response) => response.url().endsWith("/connections/warehouse/test"));
  await here.getByRole("button", { name: "Test", exact: true }).click();
  await answered;
  await expect(card).toContainText(/Works, /, { timeout: 500 });
  const { startAgain } = await server.kill();
  await startAgain();
  await there.reload();
  await expect(card).toContainText(/Works, /);
  for (const window of [here, there]) await window.context().close();
});
