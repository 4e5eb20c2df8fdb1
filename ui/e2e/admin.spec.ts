import { expect, PASSWORD, test } from "./harness";

test.use({ house: "admin" });

test("a user is made, given a role on a tag, kept out and removed", async ({ admin, browser, server }) => {
  await admin.goto("/admin/users");
  await admin.getByRole("button", { name: "Add user" }).click();
  const add = admin.getByRole("dialog", { name: "Add user" });
  await add.getByLabel("Name", { exact: true }).fill("olga");
  await add.getByRole("textbox", { name: /^Password/ }).fill("short");
  await add.getByRole("button", { name: "Add user" }).click();
  await expect(add.getByRole("alert")).toHaveText("10 characters at least.");
  await add.getByRole("textbox", { name: /^Password/ }).fill(PASSWORD);
  await add.getByRole("button", { name: "Add a role on a tag" }).click();
  await add.getByLabel("Tag", { exact: true }).fill("people");
  await add.getByRole("button", { name: "Add user" }).click();
  await expect(admin.getByText("operator on people")).toBeVisible();
  const theirs = await server.signedIn(browser, "olga");

  await admin.getByRole("button", { name: "Actions of olga" }).click();
  await admin.getByRole("menuitem", { name: "Edit" }).click();
  const edit = admin.getByRole("dialog", { name: "olga" });
  await edit.getByRole("switch", { name: "May sign in" }).click();
  await edit.getByRole("button", { name: "Save" }).click();
  await expect(admin.getByText("Disabled")).toBeVisible();
  await theirs.goto("/");
  await expect(theirs).toHaveURL(/sign-in/);

  await admin.getByRole("button", { name: "Actions of olga" }).click();
  await admin.getByRole("menuitem", { name: "Remove" }).click();
  const remove = admin.getByRole("dialog");
  await expect(remove.getByRole("button", { name: "Remove" })).toHaveAttribute("aria-disabled", "true");
  await remove.getByRole("textbox").fill("olga");
  await remove.getByRole("button", { name: "Remove" }).click();
  await expect(admin.getByRole("button", { name: "Actions of olga" })).toHaveCount(0);
  await theirs.context().close();
});

test("a token is shown once, works, and is revoked", async ({ admin, server }) => {
  await admin.goto("/admin/tokens");
  await admin.getByRole("button", { name: "New token" }).first().click();
  await admin.getByRole("dialog").getByLabel("Name").fill("deploy");
  await admin.getByRole("button", { name: "Make the token" }).click();
  const text = (await admin.getByTestId("token").textContent()) ?? "";
  const ask = () => fetch(`${server.url}/api/v1/pipelines`, { headers: { authorization: `Bearer ${text}` } });
  expect((await ask()).status).toBe(200);
  await admin.getByRole("button", { name: "I have copied it" }).click();
  await expect(admin.getByText("deploy")).toBeVisible();
  await expect(admin.getByText(text)).toHaveCount(0);
  await admin.getByRole("button", { name: "Revoke deploy" }).click();
  await admin.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
  // what is behind a dialog has no role
  await expect(admin.getByRole("dialog")).toHaveCount(0);
  await expect(admin.getByRole("button", { name: "Revoke deploy" })).toHaveCount(0);
  expect((await ask()).status).toBe(401);
});

test("a secret is set, never shown, and removed by its name; the audit log tells of it and is whole", async ({
  admin,
}) => {
  await admin.goto("/admin/secrets");
  await admin.getByRole("button", { name: "Set a secret" }).first().click();
  const set = admin.getByRole("dialog");
  await set.getByLabel("Name").fill("shop_password");
  await set.getByLabel("Value").fill("canary-8471");
  await set.getByRole("button", { name: "Set secret" }).click();
  await expect(admin.getByText("shop_password", { exact: true })).toBeVisible();
  await expect(admin.getByText("canary-8471")).toHaveCount(0);
  await admin.getByRole("button", { name: "Remove shop_password" }).click();
  await admin.getByRole("dialog").getByRole("textbox").fill("shop_password");
  await admin.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await expect(admin.getByText("No secret yet")).toBeVisible();

  await admin.goto("/admin/audit?action=removeSecret");
  await expect(admin.getByText("shop_password").first()).toBeVisible();
  await admin.getByRole("button", { name: "Verify" }).click();
  await expect(admin.getByText(/All [\d,]+ lines are as they were written/)).toBeVisible();
});

test("sessions are seen where they are, and ended one by one or all at once", async ({
  admin,
  browser,
  server,
}) => {
  const phone = await server.signedIn(browser);
  await admin.goto("/admin/account");
  const sessions = admin.getByRole("list", { name: "Sessions" }).getByRole("listitem");
  const here = sessions.filter({ hasText: "this browser" });
  await expect(here).toHaveCount(1);
  await expect(here.getByRole("button", { name: "End" })).toHaveCount(0);
  await admin.getByRole("button", { name: "Sign out everywhere else" }).click();
  await expect(sessions).toHaveCount(1);
  await phone.goto("/runs");
  await expect(phone).toHaveURL(/sign-in/);
  await phone.context().close();

  const [first, second] = [
    await server.signedIn(browser, "viewer"),
    await server.signedIn(browser, "viewer"),
  ];
  await admin.goto("/admin/users");
  await admin.getByRole("button", { name: "Actions of viewer" }).click();
  await admin.getByRole("menuitem", { name: "Sessions" }).click();
  const theirs = admin.getByRole("dialog", { name: "Sessions of viewer" });
  await expect(theirs.getByRole("listitem")).toHaveCount(2);
  await theirs.getByRole("button", { name: "End" }).first().click();
  await expect(theirs.getByRole("listitem")).toHaveCount(1);
  await theirs.getByRole("button", { name: "Sign out everywhere" }).click();
  await expect(theirs.getByText("Signed in nowhere.")).toBeVisible();
  for (const page of [first, second]) {
    await page.goto("/");
    await expect(page).toHaveURL(/sign-in/);
    await page.context().close();
  }
});
