import { spawn, type ChildProcess } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, Server, test } from "./harness";

// A real provider, which `scripts/services up oidc` installs.
const PROVIDER = process.env["LEVADA_TEST_OIDC"] ?? "../scripts/oidc";

test("a person enters with the provider if they may, and comes to the page they wanted", async ({
  browser,
}) => {
  const port = await freePort();
  const provider = await Provider.start(`http://127.0.0.1:${port}/api/v1/oidc/callback`);
  const server = await Server.start((folder) => project(folder, provider.issuer), undefined, port);
  const context = await browser.newContext({ baseURL: server.url });
  const page = await context.newPage();
  await page.goto("/runs?state=failed");
  await page.getByRole("link", { name: "Sign in with Example" }).click();
  await page.locator("input[name=login]").fill("olga");
  await page.locator("input[name=password]").fill("of no importance");
  await page.getByRole("button", { name: "Sign-in" }).click();
  // she is in no group that has a role
  await expect(page).toHaveURL(`${server.url}/sign-in?error=refused`);
  await expect(page.getByText("You may not enter here")).toBeVisible();

  await fetch(`${provider.issuer}/test/groups/olga/staff`);
  await page.goto("/runs?state=failed");
  await page.getByRole("link", { name: "Sign in with Example" }).click();
  // the provider knows her still
  await expect(page).toHaveURL(`${server.url}/runs?state=failed`);
  await expect(page.getByRole("button", { name: "Signed in as olga" })).toBeVisible();
  await context.close();
  await server.stop();
  provider.stop();
});

test("a provider that cannot be asked is told in the page", async ({ page }) => {
  const server = await Server.start((folder) => project(folder, "http://127.0.0.1:1"));
  await page.goto(`${server.url}/sign-in`);
  await page.getByRole("link", { name: "Sign in with Example" }).click();
  await expect(page.getByText("The provider could not be asked")).toBeVisible();
  await server.stop();
});

function project(folder: string, issuer: string): void {
  writeFileSync(join(folder, "levada.yaml"), "version: 1\n");
  writeFileSync(
    join(folder, "auth.yaml"),
    `version: 1
oidc:
  issuer: ${issuer}
  client_id: rs256
  client_secret: "a secret: of 32 letters & more, + % ="
  scopes: [openid, profile, email, groups]
  roles: { staff: editor }
  label: Sign in with Example
`,
  );
}

/** The address to come back to has to be known before the server is there. */
function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}

class Provider {
  private constructor(
    readonly issuer: string,
    private readonly process: ChildProcess,
  ) {}

  static start(callback: string): Promise<Provider> {
    const child = spawn("node", ["provider.mjs", callback], {
      cwd: PROVIDER,
      stdio: ["pipe", "pipe", "inherit"],
    });
    return new Promise((resolve, reject) => {
      child.stdout.once("data", (line: Buffer) => resolve(new Provider(line.toString().trim(), child)));
      child.once("exit", (code) => reject(new Error(`the provider ended with ${code}`)));
    });
  }

  stop(): void {
    // it ends with its input
    this.process.stdin?.end();
  }
}
