import { expect, test as base, type Browser, type Page } from "@playwright/test";
import { Levada } from "./levada";
import { ADMIN } from "./test";

export { expect };

export const PASSWORD = ADMIN.password;
export const ROLES = ["viewer", "operator", "editor", "admin"] as const;
export type RoleName = (typeof ROLES)[number];

const TURN_MS = 250;
/** A minute. */
const RUN_TURNS = 240;

/** A server that is set up, and what tests do with it beside its pages. */
export class Server {
  private constructor(private readonly levada: Levada) {}

  static async start(...how: Parameters<typeof Levada.start>): Promise<Server> {
    const server = new Server(await Levada.start(...how));
    await server.post("/api/v1/setup", { secret: server.levada.setUpSecret, ...ADMIN });
    return server;
  }

  get url(): string {
    return this.levada.url;
  }

  /** Ends it without a warning, as a crash would. Answers how to start it again. */
  kill(): Promise<{ startAgain: () => Promise<void> }> {
    return this.levada.kill();
  }

  stop(): Promise<void> {
    return this.levada.stop();
  }

  /** Sends something to the API, as whoever has the cookie. */
  async post(path: string, body: object, cookie = ""): Promise<Response> {
    const headers = { "content-type": "application/json", "x-levada-csrf": "1", cookie };
    const answer = await fetch(this.url + path, { method: "POST", headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`POST ${path}: ${answer.status} ${await answer.text()}`);
    return answer;
  }

  /** Starts a run, and waits for its end. Answers its number. */
  async run(pipeline: string, cookie: string): Promise<number> {
    const answer = await this.post(`/api/v1/pipelines/${pipeline}/runs`, {}, cookie);
    const { id } = (await answer.json()) as { id: number };
    for (let turn = 0; turn < RUN_TURNS; turn += 1) {
      const { ended_at } = await this.get<{ ended_at: string | null }>(`/api/v1/runs/${id}`, cookie);
      if (ended_at) return id;
      await new Promise((resolve) => setTimeout(resolve, TURN_MS));
    }
    throw new Error(`run ${id} of ${pipeline} has not ended`);
  }

  /** What the API answers, to whoever has the cookie. */
  async get<T>(path: string, cookie: string): Promise<T> {
    const answer = await fetch(this.url + path, { headers: { cookie } });
    if (!answer.ok) throw new Error(`GET ${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  }

  /** The cookie of a new session. */
  async session(name = ADMIN.name): Promise<string> {
    const answer = await this.post("/api/v1/session", { name, password: PASSWORD });
    return answer.headers.get("set-cookie")?.split(";")[0] ?? "";
  }

  /** A browser window of somebody who is signed in. */
  async signedIn(
    browser: Browser,
    name = ADMIN.name,
    options: Parameters<Browser["newContext"]>[0] = {},
  ): Promise<Page> {
    const context = await browser.newContext({ baseURL: this.url, ...options });
    const answer = await context.request.post("/api/v1/session", { data: { name, password: PASSWORD } });
    expect(answer.status(), `${name} signs in`).toBe(200);
    return context.newPage();
  }
}

/** The name of the user with a role: the first administrator, or one who is called by the role. */
export function userOf(role: RoleName): string {
  return role === "admin" ? ADMIN.name : role;
}

interface Fixtures {
  /** Files with different words get different servers. */
  house: string;
  /** A server with a user for each role, for all tests of a file. */
  server: Server;
  /** A window of the administrator. */
  admin: Page;
}

export const test = base.extend<Pick<Fixtures, "admin">, Pick<Fixtures, "server" | "house">>({
  house: ["", { option: true, scope: "worker" }],
  server: [
    async ({ house: _house }, use) => {
      const server = await Server.start();
      const cookie = await server.session();
      for (const role of ["viewer", "operator", "editor"])
        await server.post("/api/v1/users", { name: role, password: PASSWORD, role, grants: [] }, cookie);
      await use(server);
      await server.stop();
    },
    { scope: "worker" },
  ],
  admin: async ({ browser, server }, use) => {
    const page = await server.signedIn(browser);
    await use(page);
    await page.context().close();
  },
});

/** Waits until a page has its content: nothing is being read any more. */
export async function settled(page: Page): Promise<void> {
  await expect(page.locator("main h1, main h2, main p").first()).toBeVisible();
  await expect(page.locator("[aria-busy=true], main [data-skeleton]")).toHaveCount(0);
}
