import { enter, expect, makePipeline, run, test } from "./test";

test.beforeEach(({ context, levada }) => enter(context, levada));

test("a task is added in the graph, and the rest of the document stays as it was typed", async ({
  page,
  levada,
}) => {
  await makePipeline(
    page,
    levada,
    "drawn",
    "version: 1\nname: drawn\ntasks:\n  # the first one\n  one: { command: { argv: [echo, one] } }   # wide\n",
  );
  await page.goto(`${levada.url}/pipelines/drawn/graph?edit=yes`);
  await page.getByRole("button", { name: "Add a task" }).click();
  await page.getByRole("menuitem", { name: /^Http/i }).click();
  const panel = page.getByRole("complementary", { name: "Task http" });
  await panel.getByLabel("Url", { exact: false }).first().fill("https://example.org/");
  await panel.getByRole("checkbox", { name: "one" }).check();
  // what would be a circle cannot be chosen, and says why
  await page.getByRole("button", { name: "List" }).click();
  await page.getByRole("button", { name: /^one/ }).click();
  const first = page.getByRole("complementary", { name: "Task one" });
  await expect(first.getByRole("checkbox", { name: /http/ })).toBeDisabled();
  await expect(first.getByText("wait for each other for ever")).toBeVisible();
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await expect(page.getByText("Saved as version 2.", { exact: true })).toBeVisible();
  await page.getByRole("link", { name: "Code" }).click();
  const text = page.getByRole("textbox", { name: "Document of drawn" });
  await expect(text).toContainText("# the first one");
  await expect(text).toContainText("{ command: { argv: [echo, one] } }   # wide");
  await expect(text).toContainText("after: [one]");
});

test("an edge is pulled from one task to another, and a circle is not let happen", async ({
  page,
  levada,
}) => {
  const tasks = ["one", "two"].map((name) => `  ${name}: { command: { argv: [echo, ${name}] } }\n`);
  await makePipeline(page, levada, "pulled", `version: 1\nname: pulled\ntasks:\n${tasks.join("")}`);
  await page.goto(`${levada.url}/pipelines/pulled/graph?edit=yes`);
  const node = (name: string) => page.locator(`.react-flow__node[data-id="${name}"]`);
  const pull = async (from: string, to: string) => {
    await node(from).locator(".react-flow__handle.source").hover();
    await page.mouse.down();
    const box = await node(to).locator(".react-flow__handle.target").boundingBox();
    await page.mouse.move((box?.x ?? 0) + 2, (box?.y ?? 0) + 2, { steps: 8 });
    await page.screenshot({ path: `e2e/output/pages/graph-pulling-${from}.png` });
    await page.mouse.up();
  };
  await pull("one", "two");
  // a line that is straight has no height, so that it does not count as visible
  await expect(page.getByLabel("two waits for one")).toHaveCount(1);
  await pull("two", "one");
  await expect(page.getByLabel("one waits for two")).toHaveCount(0);
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await expect(page.getByText("Saved as version 2.", { exact: true })).toBeVisible();
  await page.getByRole("link", { name: "Code" }).click();
  await expect(page.getByRole("textbox", { name: "Document of pulled" })).toContainText("after: [one]");
});

test("a stream is reset, and the next run reads it from the start", async ({ page, levada }) => {
  await makePipeline(
    page,
    levada,
    "growing",
    "version: 1\nname: growing\nsync: { from: exports, to: warehouse, streams: { customers.csv: { read: incremental, write: append, rename: growing } } }\n",
  );
  await run(page, levada, "growing");
  await page.goto(`${levada.url}/pipelines/growing/streams`);
  const row = page.getByRole("row").filter({ hasText: "customers.csv" });
  await expect(row).toContainText("3");
  await row.getByRole("button", { name: "Reset customers.csv" }).click();
  const dialog = page.getByRole("dialog", { name: "Reset the stream customers.csv?" });
  // it appends: whoever forgets to empty the target would have every row twice
  await dialog.getByRole("textbox").fill("customers.csv");
  await dialog.getByRole("button", { name: "Reset it" }).click();
  await expect(
    page.getByText("The next run reads customers.csv from the start.", { exact: true }),
  ).toBeVisible();
  await expect(row).toContainText("never");

  // one that is paused is left out, and the document says so
  await row.getByRole("button", { name: "Pause customers.csv" }).click();
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await expect(row).toContainText("Paused");
  await page.getByRole("link", { name: "Code" }).click();
  await expect(page.getByRole("textbox", { name: "Document of growing" })).toContainText("paused: true");
});

test("the grid of runs asks once, and shows a run as it goes", async ({ page, levada }) => {
  await makePipeline(
    page,
    levada,
    "grid",
    "version: 1\nname: grid\ntasks:\n  hello: { command: { argv: [echo, hello] } }\n",
  );
  const asked: string[] = [];
  page.on("request", (request) => asked.push(new URL(request.url()).pathname));
  for (let turn = 0; turn < 3; turn += 1) await run(page, levada, "grid");
  await page.goto(`${levada.url}/pipelines/grid/runs`);
  await expect(page.getByRole("gridcell")).toHaveCount(3);
  expect(asked.filter((path) => /\/runs\/\d+\/tasks$/.test(path))).toEqual([]);
  await run(page, levada, "grid");
  await expect(page.getByRole("gridcell")).toHaveCount(4);
  await expect(page.getByRole("button", { name: /^hello in run \d+: succeeded/ })).toHaveCount(4);
});

test("a mistake shows at its line while typing, and an earlier version comes back", async ({
  page,
  levada,
}) => {
  await makePipeline(
    page,
    levada,
    "typed",
    "version: 1\nname: typed\ntasks:\n  one: { command: { argv: [echo, one] } }\n",
  );
  await page.goto(`${levada.url}/pipelines/typed/code`);
  const text = page.getByRole("textbox", { name: "Document of typed" });
  await text.click();
  await page.keyboard.press("Control+End");
  await page.keyboard.type("  two: { after: [on], notify: x }");
  await expect(page.getByRole("list", { name: "Mistakes" })).toContainText("Line 5");
  await page.getByRole("button", { name: "Discard" }).click();
  await expect(page.getByText("In order")).toBeVisible();
  await text.click();
  await page.keyboard.press("Control+End");
  await page.keyboard.type("description: changed");
  await page.keyboard.press("Control+Enter");
  await expect(page.getByText("Saved as version 2.", { exact: true })).toBeVisible();
  await page.getByRole("button", { name: "History" }).click();
  await page.getByRole("button", { name: /^Version 1/ }).click();
  await page.getByRole("button", { name: "Bring it back" }).click();
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await expect(page.getByText("Saved as version 3.", { exact: true })).toBeVisible();
});

test("whoever comes second is told, and sees both", async ({ page, context, levada }) => {
  await makePipeline(
    page,
    levada,
    "shared",
    "version: 1\nname: shared\ntasks:\n  one: { command: { argv: [echo, one] } }\n",
  );
  const other = await context.newPage();
  for (const window of [page, other]) await window.goto(`${levada.url}/pipelines/shared/settings`);
  for (const [window, owner] of [
    [page, "anna"],
    [other, "bert"],
  ] as const) {
    await window.getByLabel("Owner").fill(owner);
    await window.getByRole("button", { name: "Put into the document" }).click();
  }
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await expect(other.getByText("version 2 was saved meanwhile")).toBeVisible();
  await other.getByRole("button", { name: "Save", exact: true }).click();
  await expect(other.getByRole("dialog", { name: "Somebody else changed it" })).toContainText("owner: anna");
  await other.getByRole("button", { name: "Take theirs" }).click();
  await expect(other.getByLabel("Owner")).toHaveValue("anna");
});

test("a pipeline is paused, backfilled in thought, and deleted by its name", async ({ page, levada }) => {
  await makePipeline(
    page,
    levada,
    "nightly",
    'version: 1\nname: nightly\nschedule: "0 3 * * *"\ntasks:\n  one: { command: { argv: [echo, one] } }\n',
  );
  await page.goto(`${levada.url}/pipelines/nightly/settings`);
  await expect(page.getByText("Daily at 03:00")).toBeVisible();
  await page.getByRole("switch", { name: "Runs by itself" }).click();
  await expect(page.getByText("Paused: nothing of it starts")).toBeVisible();
  await page.getByRole("button", { name: "More" }).click();
  await page.getByRole("menuitem", { name: "Backfill" }).click();
  await page.getByLabel("From", { exact: true }).fill("2026-01-01");
  await page.getByLabel("To", { exact: true }).fill("2026-01-05");
  await expect(page.getByRole("button", { name: "Make 5 runs" })).toBeVisible();
  await page.getByRole("button", { name: "Close" }).last().click();
  await page.getByRole("button", { name: "Delete the pipeline" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("textbox").fill("nightly");
  await dialog.getByRole("button", { name: "Delete the pipeline" }).click();
  await page.waitForURL(/\/pipelines$/);
});
