import { test as base, type BrowserContext, type Page } from "@playwright/test";
import { Levada } from "./levada";

export const ADMIN = { name: "anna", password: "ten bytes or more" };
const CSRF = { "x-levada-csrf": "1" };

interface Fixtures {
  /** One server for all tests that run one after the other. */
  levada: Levada;
  /** A file that names one has a server that no other file had before. */
  server: string;
}

/** Tests against a server of their own. */
export const test = base.extend<object, Fixtures>({
  levada: [
    async ({}, use) => {
      const levada = await Levada.start();
      await use(levada);
      await levada.stop();
    },
    { scope: "worker" },
  ],
  server: ["", { scope: "worker", option: true }],
});

export { expect } from "@playwright/test";

/** Makes the first administrator, where there is none yet, and signs the browser in. */
export async function enter(context: BrowserContext, levada: Levada, user = ADMIN): Promise<void> {
  const data = { secret: levada.setUpSecret, ...ADMIN };
  await context.request.post(`${levada.url}/api/v1/setup`, { data });
  // making the administrator signs in as well, and changes of a session need the header
  const answer = await context.request.post(`${levada.url}/api/v1/session`, { data: user, headers: CSRF });
  if (!answer.ok()) throw new Error(`${user.name} cannot sign in: ${answer.status()}`);
}

/** Makes a user with a role. */
export async function addUser(context: BrowserContext, levada: Levada, name: string, role: string) {
  const user = { name, password: ADMIN.password };
  await context.request.post(`${levada.url}/api/v1/users`, { data: { ...user, role }, headers: CSRF });
  return user;
}

/** Starts a run, and waits for its end if that is wanted. */
export async function run(page: Page, levada: Levada, pipeline: string, isAwaited = true): Promise<number> {
  const runs = `${levada.url}/api/v1`;
  const started = await page.request.post(`${runs}/pipelines/${pipeline}/runs`, { data: {}, headers: CSRF });
  const { id } = (await started.json()) as { id: number };
  for (let isOpen = isAwaited; isOpen;) {
    const { ended_at } = (await (await page.request.get(`${runs}/runs/${id}`)).json()) as {
      ended_at: string | null;
    };
    isOpen = ended_at === null;
  }
  return id;
}

/** Makes a pipeline. */
export async function makePipeline(page: Page, levada: Levada, name: string, text: string): Promise<void> {
  const headers = { ...CSRF, "content-type": "application/yaml" };
  const answer = await page.request.put(`${levada.url}/api/v1/pipelines/${name}`, { data: text, headers });
  if (!answer.ok()) throw new Error(`${name} cannot be made: ${await answer.text()}`);
}
