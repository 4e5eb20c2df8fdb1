import type { Page } from "@playwright/test";

const STEPS_MAX = 150;

/** Presses Tab until what has the focus is called so; whoever cannot see the page gets there in the same way. */
export async function tabTo(page: Page, name: string | RegExp): Promise<void> {
  for (let step = 0; step < STEPS_MAX; step += 1) {
    // an editor takes Tab for itself, until it is told otherwise
    if (await page.evaluate(isInEditor)) await page.keyboard.press("Escape");
    await page.keyboard.press("Tab");
    const called = await page.evaluate(nameOfFocused);
    if (typeof name === "string" ? called === name : name.test(called)) return;
  }
  throw new Error(`Tab does not lead to ${String(name)}`);
}

function isInEditor(): boolean {
  return document.activeElement instanceof HTMLElement && document.activeElement.isContentEditable;
}

function nameOfFocused(): string {
  const element = document.activeElement;
  if (!(element instanceof HTMLElement)) return "";
  const spoken = (part: Element | null | undefined) => {
    const copy = part?.cloneNode(true) as Element | undefined;
    copy?.querySelectorAll("[aria-hidden=true]").forEach((hidden) => hidden.remove());
    return copy?.textContent;
  };
  const label = element instanceof HTMLInputElement ? spoken(element.labels?.[0]) : null;
  return (element.getAttribute("aria-label") ?? label ?? spoken(element) ?? "").trim();
}
