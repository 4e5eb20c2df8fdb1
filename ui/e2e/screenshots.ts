import type { Browser, Page } from "@playwright/test";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { PASSWORD, Server, settled, test } from "./harness";
import { PAGES } from "./pages";

// Needs the program `shop` beside levada, which makes up the demo's data.
const PROGRAMS = dirname(process.env["LEVADA_BIN"] ?? "");
const SHOP = join(PROGRAMS, "shop");
// a pipeline of the demo calls it
process.env["PATH"] = `${PROGRAMS}:${process.env["PATH"]}`;
const OUTPUT = "e2e/output/pages";
const SIZES = { 1440: { width: 1440, height: 900 }, 360: { width: 360, height: 740 } };
/** Those of the README; each is taken at this size, as light as the page it stands on. */
const README: Record<string, string> = {
  overview: "/",
  pipeline: "/pipelines/shop/graph",
  run: "/runs/1?task=tables",
  data: "/data/supplier",
};
/** The pipeline of the pictures. */
const SHOWN = "shop";
const README_SIZE = { width: 1280, height: 760 };
/** Only some of the pages, by their names. */
const ONLY = process.env["PAGES"]?.split(",");

const SUPPLIERS = [
  ["Ribeira Brava Tiles", "PT", 4],
  ["Funchal Cork", "PT", 5],
  ["Nordlicht Lamps", "DE", 3],
  ["Atelier Lumen", "FR", 4],
  ["Cantabria Glass", "ES", 5],
] as const;

test("pictures of every page", async ({ browser }) => {
  const server = await Server.start((folder) => {
    cpSync("../examples/shop", folder, { recursive: true });
    execFileSync(SHOP, [join(folder, "data"), "--scale", "0.02"], { stdio: "ignore" });
  });
  const cookie = await server.session();
  await live(server, cookie);
  const run = await firstRun(server, cookie);
  for (const colorScheme of ["light", "dark"] as const)
    for (const [size, viewport] of Object.entries(SIZES)) {
      const page = await server.signedIn(browser, undefined, { colorScheme, viewport });
      for (const { name, path } of PAGES.filter((one) => !ONLY || ONLY.includes(one.name))) {
        await open(
          page,
          path
            .replace("/runs/1", `/runs/${run}`)
            .replace("steps", SHOWN)
            .replace("large_departments", "revenue_by_month")
            .replace("department", "supplier"),
        );
        await page.screenshot({ path: `${OUTPUT}/${name}-${size}-${colorScheme}.png` });
      }
      await page.context().close();
    }
  if (!ONLY) await readme(browser, server, run);
  await server.stop();
});

async function readme(browser: Browser, server: Server, run: number): Promise<void> {
  mkdirSync("../docs/images", { recursive: true });
  const page = await server.signedIn(browser, undefined, { colorScheme: "light", viewport: README_SIZE });
  for (const [name, path] of Object.entries(README)) {
    await open(page, path.replace("/runs/1", `/runs/${run}`));
    await page.screenshot({ path: `../docs/images/${name}.png` });
  }
  await page.context().close();
}

/** Something for every page to show: runs that succeeded, rows, a user and a token. */
async function live(server: Server, cookie: string): Promise<void> {
  const rows = SUPPLIERS.map(([name, country, rating]) => ({
    name,
    country,
    rating,
    email: `hello@${name.split(" ")[0]?.toLowerCase()}.example`,
  }));
  await server.post(
    "/api/v1/users",
    {
      name: "olga",
      password: PASSWORD,
      role: "viewer",
      grants: [{ tag: "shop", role: "operator" }],
    },
    cookie,
  );
  await server.post("/api/v1/tokens", { name: "dashboard", role: "viewer", days: 90 }, cookie);
  for (const pipeline of [SHOWN, "day_report", "stock", SHOWN]) await server.run(pipeline, cookie);
  await server.post("/v1/supplier/bulk", { rows }, cookie);
}

/** The run of the pictures, which loads everything: others may have started before it by their schedules. */
async function firstRun(server: Server, cookie: string): Promise<number> {
  const path = `/api/v1/runs?pipeline=${SHOWN}&sort=created&limit=1`;
  const [first] = (await server.get<{ items: { id: number }[] }>(path, cookie)).items;
  if (!first) throw new Error(`${SHOWN} has not run`);
  return first.id;
}

async function open(page: Page, path: string): Promise<void> {
  await page.goto(path);
  await settled(page);
  // graphs and charts draw themselves after their code has come
  await page.waitForLoadState("networkidle").catch(() => {});
}
