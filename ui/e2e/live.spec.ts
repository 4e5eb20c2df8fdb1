import type { Page } from "@playwright/test";
import { expect, test } from "./harness";

test.use({ house: "live" });

interface History {
  items: { id: number }[];
}

test("a run page goes on after the server was killed, and misses no event", async ({ browser, server }) => {
  test.setTimeout(120_000);
  const cookie = await server.session();
  const started = await server.post("/api/v1/pipelines/steps/runs", {}, cookie);
  const { id } = (await started.json()) as { id: number };
  const page = await server.signedIn(browser);
  const heard = eventsOf(page, id);
  await page.goto(`/runs/${id}`);
  await expect.poll(() => heard.length).toBeGreaterThan(0);
  const before = Math.max(...heard);

  const { startAgain } = await server.kill();
  await expect(page.getByRole("button", { name: /^Reconnecting\./ })).toBeVisible();
  await startAgain();
  await expect(page.getByRole("button", { name: /^Live\./ })).toBeVisible({ timeout: 20_000 });
  const read = async <T>(path: string) =>
    (await (await page.request.get(`/api/v1/runs/${id}${path}`)).json()) as T;
  await expect
    .poll(async () => (await read<{ state: string }>("")).state, { timeout: 60_000 })
    .toBe("succeeded");
  await expect(page.locator("main").getByText("Succeeded").first()).toBeVisible();

  const { items } = await read<History>("/events?limit=1000");
  const first = Math.min(...heard);
  const told = items.map((event) => event.id).filter((event) => event >= first);
  expect(Math.max(...told), "something has come since the crash").toBeGreaterThan(before);
  await expect.poll(() => sorted(new Set(heard))).toEqual(sorted(told));
  await page.context().close();
});

function sorted(numbers: Iterable<number>): number[] {
  return [...numbers].sort((a, b) => a - b);
}

/** The numbers of the events about a run that the page is told, over all its connections. */
function eventsOf(page: Page, run: number): number[] {
  const heard: number[] = [];
  page.on("websocket", (socket) =>
    socket.on("framereceived", ({ payload }) => {
      const told = JSON.parse(payload.toString()) as { id?: number; run?: number };
      if (told.id !== undefined && told.run === run) heard.push(told.id);
    }),
  );
  return heard;
}
